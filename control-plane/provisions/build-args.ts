import { stringify } from 'yaml';
import type { ProvisionArgs } from '../../protocol/commands.ts';
import type { ServerContext } from '../context.ts';
import { agentReference, readImageUrl } from '../images/read-image-url.ts';
import { credentialOfImage } from '../images/registry-credentials/credential-of-image.ts';
import { findRun, userDataPlace } from './provision-store.ts';
import { machinePlatform } from './resolve-digest.ts';
import { isTerminal } from './run-state.ts';

/**
 * The arguments of a run's `ProvisionMachine`, secrets included, made anew each time it is sent. Null when there is
 * nothing to install any more: the run has ended, or the machine has left for the installed system.
 * @throws ProvisionError `sealed_value_unreadable`.
 */
export function buildArgs(context: ServerContext, runUuid: string, registryCa: string | null): ProvisionArgs | null {
  const run = findRun(context.db, runUuid);
  if (run === null || run.imageDigest === null || isTerminal(run.state.status)) return null;
  if (run.state.bootingAtMs !== null || run.state.helloAtMs !== null) return null;
  const image = readImageUrl(run.imageUrl);
  const credentials = credentialOfImage(context, run.registryCredentialUuid, image.reference);
  const { settings } = run;
  return {
    provision_uuid: run.uuid,
    image: {
      reference: agentReference(image),
      digest: run.imageDigest,
      platform: `${machinePlatform.os}/${machinePlatform.architecture}`,
    },
    credentials: credentials === null ? null : [{ registry: image.reference.registry, ...credentials }],
    registry_ca: registryCa,
    // Null: the one that the machine's installer was given, which alone knows the way out of its network.
    proxy: null,
    target_disk: settings.target_disk,
    user_data: userDataOf(context, run.uuid),
    meta_data: stringify({ 'instance-id': run.uuid, 'local-hostname': settings.hostname }),
    vendor_data: null,
    network_config: null,
    hostname: settings.hostname,
    append_karg: [],
    inject_agent: settings.inject_agent,
    agent_config: settings.inject_agent ? agentConfig(context, run.machineUuid) : null,
    kexec_installer: settings.kexec_installer,
    boot: settings.boot,
    read_back: settings.read_back,
  };
}

/** Text of the installed system's agent.yaml: this server as the machine reaches it, and how it is recognised. */
function agentConfig(context: ServerContext, machineUuid: string): string {
  const server = serverUrlOf(context, machineUuid);
  return stringify({
    server,
    ...(server.startsWith('http://') ? { plain_http: true } : {}),
    ...(context.pin === null ? {} : { pin: context.pin }),
    ...(context.caCertificate === null ? {} : { ca: context.caCertificate }),
  });
}

/**
 * The public URL that the machine dialled last, since names and networks differ from machine to machine: arguments are
 * made anew after each hello, so this is the one that its installer reached. The first for a machine that has not been
 * there, or whose URL is none of this server's any more.
 */
function serverUrlOf({ db, publicUrls }: ServerContext, machineUuid: string): string {
  const dialled = db.prepare('SELECT dialled_url FROM machines WHERE uuid = ?').get(machineUuid)?.['dialled_url'];
  return publicUrls.find((url) => url === dialled) ?? publicUrls[0] ?? '';
}

function userDataOf(context: ServerContext, runUuid: string): string | null {
  const sealed = context.db.prepare('SELECT user_data_sealed FROM provisions WHERE uuid = ?').get(runUuid)?.[
    'user_data_sealed'
  ];
  return sealed instanceof Uint8Array ? context.sealer.open(sealed, userDataPlace(runUuid)) : null;
}
