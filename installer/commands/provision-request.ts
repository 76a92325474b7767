import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { parseAgentConfig } from '../../agent/config/read-agent-config.ts';
import type { MachineIdentity } from '../../agent/identity/read-identity.ts';
import type { ProvisionRequest } from '../../agent/provision/types.ts';
import type { LinkDescription } from '../../agent/rootfs/network-config-from-link.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import type { Platform } from '../../core/oci/types.ts';
import type { ProvisionArgs } from '../../protocol/commands.ts';

export interface RequestFacts {
  readonly identity: MachineIdentity;
  /** The link that works; null where there is none. */
  readonly link: LinkDescription | null;
  /** The proxy that the installer itself takes. */
  readonly proxy: string | null;
  /** Folder for what is handed over as a file. */
  readonly runDir: string;
  readonly agentBundle: string | null;
  readonly diskWaitMs: number;
}

/** A request, and the files that it names; disposing of it removes them. */
export interface PreparedRequest extends Disposable {
  readonly request: ProvisionRequest;
}

/**
 * What `ProvisionMachine` asks for, as an installation takes it: the image by its digest, whatever its tag says by now;
 * the network as the installer found it where none is given; the machine's own identity.
 * @throws ProvisionError `usage`, `document_invalid`.
 */
export function prepareRequest(args: ProvisionArgs, facts: RequestFacts): PreparedRequest {
  const { reference, plainHttp } = readReference(args.image.reference);
  const proxy = args.proxy ?? facts.proxy;
  const caFile = args.registry_ca === null ? null : join(facts.runDir, `registry-ca-${randomUUID()}.pem`);
  if (caFile !== null && args.registry_ca !== null) {
    mkdirSync(facts.runDir, { recursive: true, mode: 0o700 });
    writeFileSync(caFile, args.registry_ca, { mode: 0o600 });
  }
  const request: ProvisionRequest = {
    provisionUuid: args.provision_uuid,
    image: `${reference.replace(/@[^@/]*$/, '')}@${args.image.digest}`,
    disk: args.target_disk,
    diskWaitMs: facts.diskWaitMs,
    sectorBytes: 512,
    platform: readPlatform(args.image.platform),
    plainHttp,
    registryCaFile: caFile,
    credentials: args.credentials ?? [],
    proxy,
    userData: args.user_data,
    metaData: args.meta_data,
    vendorData: args.vendor_data,
    networkConfig: args.network_config,
    link: facts.link,
    hostname: args.hostname,
    appendKargs: args.append_karg,
    injectAgent: args.inject_agent,
    agentConfig: withProxy(args.agent_config, facts.proxy),
    identity: facts.identity,
    agentBundle: facts.agentBundle,
    boot: args.boot === 'reboot' ? 'reboot' : 'kexec',
    readBack: args.read_back,
  };
  return {
    request,
    [Symbol.dispose]: () => {
      if (caFile !== null) rmSync(caFile, { force: true });
    },
  };
}

function readReference(text: string): { reference: string; plainHttp: boolean } {
  const plainHttp = text.startsWith('http://');
  return { reference: plainHttp ? text.slice('http://'.length) : text, plainHttp };
}

function readPlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.split('/');
  if (!os || !architecture || rest.length > 0) {
    throw new ProvisionError('usage', `"${text}" is not a platform such as linux/amd64`);
  }
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/** The installed agent goes the way that the installer had to go, unless the server says another (agent.yaml is 0600). */
function withProxy(agentConfig: string | null, proxy: string | null): string | null {
  if (agentConfig === null || proxy === null) return agentConfig;
  const config = parseAgentConfig(agentConfig, 'agent.yaml');
  return config.proxy === undefined ? stringify({ ...config, proxy }) : agentConfig;
}
