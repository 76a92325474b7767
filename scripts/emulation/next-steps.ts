import type { EmulationFlags } from './emulation-flags.ts';
import type { EmulationRegistry } from './emulation-registry.ts';
import type { EmulationServer } from './emulation-server.ts';
import { shellWord } from './shell-word.ts';

export interface Situation {
  readonly flags: EmulationFlags;
  readonly server: EmulationServer | null;
  /** What the server will call the machine; null where that is not known. */
  readonly machine: string | null;
  /** As this shell would call it. */
  readonly binary: string;
  readonly consoleLog: string;
  readonly isTerminal: boolean;
}

/** What a person does next in another terminal, as lines that can be pasted. */
export function nextSteps({ flags, server, machine, binary, consoleLog, isTerminal }: Situation): string[] {
  const { view } = flags;
  const isSerialHere = view === 'serial';
  return [
    ...(server === null ? noServer : operatorSteps(flags, server, { program: shellWord(binary), machine })),
    '',
    ...(typeof view === 'object' ? [`Screen: VNC, 127.0.0.1:${5900 + view.vnc}`] : []),
    ...(isSerialHere ? [] : [`Serial console: tail -f ${shellWord(consoleLog)}`]),
    isSerialHere && isTerminal ? 'The serial console follows; ^C ends everything.' : '^C ends everything.',
    '',
  ];
}

const noServer = ['There is no server: the installer asks which one it belongs to.'];

function operatorSteps(
  flags: EmulationFlags,
  { url, registry, environment }: EmulationServer,
  { program, machine }: { readonly program: string; readonly machine: string | null },
): string[] {
  const exports = Object.entries(environment ?? {}).filter(([, value]) => value !== '');
  const server = `${program} server`;
  return [
    `The machine is to belong to ${url}. In another terminal:`,
    '',
    ...(exports.length === 0
      ? []
      : [`  export ${exports.map(([name, value]) => `${name}=${shellWord(value)}`).join(' ')}`]),
    `  ${server} machines list --watch`,
    ...(flags.way === 'token' && flags.media !== 'tftp'
      ? []
      : [`  ${server} approve CODE                     # as the machine shows it`]),
    ...imageSteps(server, registry),
    `  ${server} provision ${machine ?? 'MACHINE'}            # once it is online; erases its disk`,
    ...(registry === null ? [] : ['', ...otherImages(server, registry)]),
  ];
}

function imageSteps(server: string, registry: EmulationRegistry | null): string[] {
  if (registry === null) return [`  ${server} images add NAME REFERENCE --default`];
  const [first] = registry.images;
  return first === undefined
    ? ['  ./scripts/build-image debian-12            # and start this again: there is no image yet']
    : [`  ${server} images list                      # ${registry.images.map(({ name }) => name).join(', ')}`];
}

/** The machine has another name for this host than the host itself. */
function otherImages(server: string, { host, name }: EmulationRegistry): string[] {
  return [
    `What is pushed to ${host} the machine pulls from http://${name}:`,
    '',
    `  skopeo copy --dest-tls-verify=false SOURCE docker://${host}/NAME:TAG`,
    `  ${server} images add NAME http://${name}/NAME:TAG --default`,
  ];
}
