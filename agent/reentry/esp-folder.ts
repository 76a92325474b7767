import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  statSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { type FirmwareBoot, partUuidOf } from '../boot/firmware-boot.ts';
import { realRoots, type SystemRoots } from '../hardware/sysfs.ts';
import { partitionTypes } from '../rootfs/types.ts';
import { readFirmwareBoot } from './firmware-entries.ts';
import {
  disksBelow,
  mountOf,
  mountOn,
  readSystemDisk,
  type SystemDisk,
  type SystemPartition,
} from './system-mounts.ts';

/** The EFI system partition that the running system was started from, or would be. */
export interface Esp {
  readonly disk: SystemDisk;
  readonly partition: SystemPartition;
}

const largestTextBytes = 256 * 1024;
/** MBR type of an EFI system partition, as lsblk prints it. */
const mbrEspType = '0xef';

/** Where systems mount it: Debian and Fedora, the Boot Loader Specification, Arch. */
const espFolders = ['/boot/efi', '/efi', '/boot'];

/**
 * The EFI system partition that is mounted, else the first on the disk (or the disks) of the root file system, else the
 * one that the firmware has started this system from; null where there is none. What is on another disk than the root
 * counts: a root on ZFS names no disk, and a system may have its boot disk apart.
 * @throws ProvisionError `tool_missing`, `tool_failed`.
 */
export async function lookForEsp(signal: AbortSignal, roots: SystemRoots = realRoots): Promise<Esp | null> {
  for (const folder of espFolders) {
    // Looking into it mounts what systemd mounts on demand.
    existsSync(join(folder, 'EFI'));
    const mount = await mountOn(folder, signal);
    const esp = mount === null ? null : await espAt(mount.source, signal, roots);
    if (esp !== null) return esp;
  }
  const { source } = await mountOf('/', signal);
  for (const path of await disksBelow(source, roots)) {
    const disk = await readSystemDisk(path, signal, roots);
    const [partition] = disk.partitions.filter(isEsp);
    if (partition !== undefined) return { disk, partition };
  }
  return await startedFrom(signal, roots);
}

/** The same. @throws ProvisionError `installer_unreachable` where there is none; `tool_missing`, `tool_failed`. */
export async function findEsp(signal: AbortSignal): Promise<Esp> {
  const esp = await lookForEsp(signal);
  if (esp !== null) return esp;
  const message =
    "no EFI system partition is mounted, on the disk of the root file system, or what the firmware's BootCurrent names";
  throw new ProvisionError('installer_unreachable', message);
}

/** The device, when it is an EFI system partition of one disk. */
async function espAt(device: string, signal: AbortSignal, roots: SystemRoots): Promise<Esp | null> {
  const [path, ...others] = await disksBelow(device, roots);
  if (path === undefined || others.length > 0) return null;
  const disk = await readSystemDisk(path, signal, roots);
  const partition = disk.partitions.find((one) => one.device === device && isEsp(one));
  return partition === undefined ? null : { disk, partition };
}

async function startedFrom(signal: AbortSignal, roots: SystemRoots): Promise<Esp | null> {
  let boot: FirmwareBoot;
  try {
    boot = await readFirmwareBoot(signal);
  } catch (error) {
    // Who needs the firmware's answers says why there are none.
    if (signal.aborted || !(error instanceof ProvisionError)) throw error;
    return null;
  }
  const entry = boot.entries.find(({ number }) => number === boot.bootCurrent);
  const partUuid = entry === undefined ? null : partUuidOf(entry);
  const link = join(roots.devRoot, 'disk/by-partuuid', partUuid ?? 'none');
  if (lstatSync(link, { throwIfNoEntry: false }) === undefined) return null;
  return await espAt(`/dev/${basename(readlinkSync(link))}`, signal, roots);
}

function isEsp({ identity }: SystemPartition): boolean {
  return [partitionTypes.esp, mbrEspType].includes(identity.typeGuid);
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
