import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { partitionTypes } from '../rootfs/types.ts';
import { disksBelow, mountOf, readSystemDisk, type SystemDisk, type SystemPartition } from './system-mounts.ts';

/** The EFI system partition that the running system was started from, or would be. */
export interface Esp {
  readonly disk: SystemDisk;
  readonly partition: SystemPartition;
}

const largestTextBytes = 256 * 1024;
/** MBR type of an EFI system partition, as lsblk prints it. */
const mbrEspType = '0xef';

/**
 * The EFI system partition on the disk (or the first of the disks) of the root file system: the one that is mounted,
 * else the first.
 * @throws ProvisionError `installer_unreachable` where there is none; `tool_missing`, `tool_failed`.
 */
export async function findEsp(signal: AbortSignal): Promise<Esp> {
  const { source } = await mountOf('/', signal);
  for (const path of await disksBelow(source)) {
    const disk = await readSystemDisk(path, signal);
    const found = disk.partitions
      .filter(({ identity }) => [partitionTypes.esp, mbrEspType].includes(identity.typeGuid))
      .sort((a, b) => Number(a.mountPoint === null) - Number(b.mountPoint === null));
    const [partition] = found;
    if (partition !== undefined) return { disk, partition };
  }
  throw new ProvisionError('installer_unreachable', 'the disk of this system has no EFI system partition');
}

/** The partition with this PARTUUID, wherever it is now; null where it is not there. */
export async function espByPartUuid(partUuid: string): Promise<{ device: string } | null> {
  const device = `/dev/disk/by-partuuid/${partUuid}`;
  return existsSync(device) ? { device } : null;
}

/**
 * Gives `use` the folder that an EFI system partition is mounted on: where it is, else on a folder of our own for as
 * long as it takes.
 * @throws ProvisionError `tool_missing`, `tool_failed` when it cannot be mounted; what `use` throws.
 */
export async function withEsp<T>(
  device: string,
  options: { readonly runDir: string; readonly signal: AbortSignal },
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const mounted = await writableMount(device, options.signal);
  if (mounted !== null) return await use(mounted);
  const folder = join(options.runDir, 'esp');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await runCommand('mount', ['-t', 'vfat', '-o', 'rw,nosuid,nodev,noexec,umask=0077', device, folder], {
    signal: options.signal,
    timeoutMs: 60_000,
  });
  try {
    return await use(folder);
  } finally {
    await runCommand('umount', [folder], { timeoutMs: 60_000 });
    rmdirSync(folder);
  }
}

async function writableMount(device: string, signal: AbortSignal): Promise<string | null> {
  const args = ['-n', '-r', '-f', '-o', 'TARGET,OPTIONS', '-S', device];
  const { stdout } = await runCommand('findmnt', args, { signal, timeoutMs: 30_000, okExitCodes: [0, 1] });
  const [target = '', options = ''] = stdout.trim().split(' ');
  return target !== '' && options.split(',').includes('rw') ? target.replaceAll('\\x20', ' ') : null;
}

/** Paths of all files of a mounted EFI system partition, with the text of those that configure a boot loader. */
export function listEspFiles(folder: string): Map<string, string | null> {
  const files = new Map<string, string | null>();
  const visit = (path: string, depth: number): void => {
    for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
      const name = `${path}/${entry.name}`;
      if (entry.isDirectory() && depth < 8) visit(name, depth + 1);
      if (!entry.isFile()) continue;
      const isText = /\.(cfg|conf)$/i.test(name) && statSync(join(folder, name)).size <= largestTextBytes;
      files.set(name, isText ? readFileSync(join(folder, name), 'utf8') : null);
    }
  };
  visit('', 0);
  return files;
}
