import { ProvisionError } from '../../core/base/errors.ts';
import { pinOfCertificate } from '../../core/pinned-ca/pin.ts';
import { longestCommandLine, splitCommandLine } from '../../protocol/kernel-command-line.ts';
import { formatKernelParameters, noKernelParameters } from '../../protocol/kernel-parameters.ts';
import type { EndpointConfig } from '../link/server-endpoint.ts';
import type { CarriedNetwork } from './server-link.ts';

export interface CommandLineFacts {
  readonly config: EndpointConfig;
  /** The proxy that connections to the server take, or null. */
  readonly proxy: URL | null;
  readonly network: CarriedNetwork;
  /** `/proc/cmdline` of the running system. */
  readonly running: string;
}

/** Parameters of the running system that are about the machine, not about its system. */
const ofTheMachine = new Set([
  'console',
  'earlyprintk',
  'earlycon',
  'nomodeset',
  'pci',
  'acpi',
  'iommu',
  'intel_iommu',
]);

/**
 * The command line that the installer is started with: server, pin and proxy of this agent, the network that it uses
 * now, and the consoles that the running system uses. No token and no other secret: who the machine is goes along in
 * the carried state.
 * @throws ProvisionError `installer_unreachable` for what a command line must not carry or cannot hold.
 */
export function installerCommandLine({ config, proxy, network, running }: CommandLineFacts): string {
  if (proxy !== null && (proxy.username !== '' || proxy.password !== '')) {
    throw refused(
      'the proxy of agent.yaml has a name and password, which must not stand on a kernel command line; start the installer from media',
    );
  }
  const pin = config.pin ?? (config.ca === undefined ? null : pinOfCertificate(config.ca));
  const formatted = formatKernelParameters({
    ...noKernelParameters,
    ...network,
    server: new URL(config.server).origin,
    pin,
    proxy: proxy === null ? null : proxy.href,
  });
  if ('problem' in formatted) throw refused(`the installer's command line cannot be made: ${formatted.problem}`);
  const line = [...machineWords(running), ...formatted.value].join(' ');
  if (line.length <= longestCommandLine) return line;
  throw refused(`the installer's command line would be longer than ${longestCommandLine} bytes`);
}

function machineWords(running: string): string[] {
  return splitCommandLine(running).parameters.flatMap(({ name, value }) => {
    if (!ofTheMachine.has(name)) return [];
    if (value === null) return [name];
    // What would need a quote is none of these in any use that is known.
    return /^[\x21\x23-\x7e]*$/.test(value) ? [`${name}=${value}`] : [];
  });
}

function refused(message: string): ProvisionError {
  return new ProvisionError('installer_unreachable', message);
}
