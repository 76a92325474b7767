import { EspFiles } from './esp-files.ts';
import { espRandomSeed, generatedIscsiPrefixes, identityTraces } from './identity-traces.ts';
import { RootFiles } from './root-files.ts';
import type { RootfsContext } from './types.ts';

export interface ScrubTarget {
  /** Where the root filesystem is mounted. */
  readonly root: string;
  /** Partition node of the EFI system partition (mtools form allowed), null when the disk has none. */
  readonly espDevice: string | null;
}

export interface ScrubReport {
  /** Paths that were removed or emptied, `esp:/…` for the EFI system partition. */
  readonly scrubbed: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Takes away what makes an image's root filesystem one particular machine (invariant 7, failure row F42): machine-id,
 * ssh host keys, random seeds, cloud-init state, leases, generated names. Run it after the last layer and before the
 * seed and the agent are written.
 * @throws ProvisionError `root_full`, `device_io`; `tool_missing`, `tool_failed` of mtools.
 */
export async function scrubIdentity(target: ScrubTarget, ctx: RootfsContext): Promise<ScrubReport> {
  const files = new RootFiles(target.root);
  const scrubbed: string[] = [];
  const warnings: string[] = [];
  scrubMachineId(files, scrubbed);
  scrubNetworkOfInstance(files, scrubbed);
  for (const trace of identityTraces) {
    for (const name of files.list(trace.dir).filter((name) => trace.names.some((glob) => matches(glob, name)))) {
      const path = `${trace.dir}/${name}`;
      if (!files.remove(path)) continue;
      scrubbed.push(path);
      ctx.log.debug({ path, what: trace.what }, 'identity removed');
    }
  }
  scrubIscsiName(files, scrubbed);
  await scrubEsp(target.espDevice, scrubbed, ctx);
  if (lacksHostKeyMaker(files)) {
    warnings.push(
      'the image has an ssh server but nothing that makes host keys at boot: sshd will not start by itself',
    );
  }
  return { scrubbed, warnings };
}

/**
 * An empty file, not a missing one: a boot with a read-only root stops without the file, and with `uninitialized` in it
 * systemd takes the boot for the first of all and resets every unit to its preset (machine-id(5)).
 */
function scrubMachineId(files: RootFiles, scrubbed: string[]): void {
  const path = '/etc/machine-id';
  if (files.isFile(path)) {
    if (files.sizeBytes(path) !== 0) scrubbed.push(path);
    files.overwrite(path, '');
  } else if (files.lstat(path) === null && files.isDirectory('/etc')) {
    files.write(path, '', 0o444);
  }
  const dbus = '/var/lib/dbus/machine-id';
  if (files.lstat(dbus)?.isFile()) {
    files.symlink('/etc/machine-id', dbus);
    scrubbed.push(dbus);
  }
}

/**
 * Network files that cloud-init rendered for the instance that made the image: they name its MAC addresses. They stay
 * where cloud-init was told to leave the network alone, because it would not render them again.
 */
function scrubNetworkOfInstance(files: RootFiles, scrubbed: string[]): void {
  if (files.list('/var/lib/cloud/instances').length === 0 || isNetworkDisabled(files)) return;
  const rendered: readonly { dir: string; names: readonly string[] }[] = [
    { dir: '/etc/netplan', names: ['50-cloud-init.yaml'] },
    { dir: '/etc/network/interfaces.d', names: ['50-cloud-init', '50-cloud-init.cfg'] },
    { dir: '/etc/systemd/network', names: ['10-cloud-init-*.network', '50-cloud-init-*.link'] },
    { dir: '/etc/NetworkManager/system-connections', names: ['cloud-init-*.nmconnection'] },
  ];
  for (const { dir, names } of rendered) {
    for (const name of files.list(dir).filter((name) => names.some((glob) => matches(glob, name)))) {
      if (files.remove(`${dir}/${name}`)) scrubbed.push(`${dir}/${name}`);
    }
  }
}

/** True where a file of the image tells cloud-init to leave the network alone. */
export function isNetworkDisabled(files: RootFiles): boolean {
  const dir = '/etc/cloud/cloud.cfg.d';
  return files
    .list(dir)
    .filter((name) => name.endsWith('.cfg'))
    .some((name) => /^\s*network:\s*\{?\s*config:\s*['"]?disabled/m.test(files.readText(`${dir}/${name}`) ?? ''));
}

/** Debian's start script generates a name for `GenerateName=yes`, Red Hat's unit when the file is missing. */
function scrubIscsiName(files: RootFiles, scrubbed: string[]): void {
  const path = '/etc/iscsi/initiatorname.iscsi';
  const name = /^\s*InitiatorName\s*=\s*(\S+)/m.exec(files.readText(path) ?? '')?.[1];
  if (name === undefined || !generatedIscsiPrefixes.some((prefix) => name.startsWith(prefix))) return;
  const isDebianLike = files.lstat('/etc/debian_version') !== null;
  if (isDebianLike) files.overwrite(path, 'GenerateName=yes\n');
  else files.remove(path);
  scrubbed.push(path);
}

async function scrubEsp(device: string | null, scrubbed: string[], ctx: RootfsContext): Promise<void> {
  if (device === null) return;
  const esp = new EspFiles(device, { signal: ctx.signal });
  const seed = await esp.find(espRandomSeed);
  if (seed === null) return;
  await esp.remove(seed);
  scrubbed.push(`esp:${seed}`);
}

function lacksHostKeyMaker(files: RootFiles): boolean {
  const has = (...paths: string[]): boolean => paths.some((path) => files.isFile(path));
  if (!has('/usr/sbin/sshd', '/usr/bin/sshd')) return false;
  if (has('/usr/bin/cloud-init', '/usr/local/bin/cloud-init')) return false;
  const units = ['sshd-keygen.target', 'sshd-keygen.service', 'sshd-keygen@.service', 'sshdgenkeys.service'];
  const dirs = ['/usr/lib/systemd/system', '/lib/systemd/system', '/etc/systemd/system'];
  return !dirs.some((dir) => units.some((unit) => files.isFile(`${dir}/${unit}`)));
}

function matches(glob: string, name: string): boolean {
  const pattern = glob.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${pattern.join('.*')}$`, 's').test(name);
}
