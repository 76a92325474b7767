import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { errnoOf, ProvisionError } from '../../../core/base/errors.ts';
import { deviceError } from '../../disk/device-error.ts';
import type { DiskFacts, ReadBytes, SectorBytes } from '../../disk/types.ts';
import { listDisks } from '../../hardware/list-disks.ts';
import { loopsOfFile } from '../../hardware/loops-of-file.ts';
import { readDisk } from '../../hardware/read-disk.ts';
import { resolveDisk } from '../../hardware/resolve-disk.ts';

/** A disk as it was found, and whether it is a plain file that stands for one. */
export interface FoundTarget {
  readonly facts: DiskFacts;
  readonly isFile: boolean;
}

/**
 * What `--disk` means: an existing plain file, a block device's path, or a rule of protocol.md (`target_disk`).
 * @throws ProvisionError `target_not_found`, `target_ambiguous`, `disk_not_eligible`.
 */
export async function findTarget(spec: string, sectorBytes: SectorBytes): Promise<FoundTarget> {
  const found = await statOrNull(spec);
  if (found?.isFile()) return { facts: await fileFacts(spec, found.size, sectorBytes), isFile: true };
  if (found?.isBlockDevice()) {
    const facts = await readDisk(spec);
    // A partition, a CD or a zram device is not among the disks; assertUsable says so by name.
    const disks = await listDisks();
    return {
      facts: disks.some(({ path }) => path === facts.path) ? await resolveDisk(spec, disks) : facts,
      isFile: false,
    };
  }
  if (found !== null) {
    throw new ProvisionError('target_not_found', `${spec} is neither a block device nor a plain file`);
  }
  if (spec.startsWith('/') && !spec.startsWith('/dev/disk/')) {
    throw new ProvisionError(
      'target_not_found',
      `${spec} does not exist; a plain file must be made first, its size is the disk's`,
    );
  }
  return { facts: await resolveDisk(spec, await listDisks()), isFile: false };
}

/** Reads bytes of a disk that is not opened for writing yet. */
export async function withReader<T>(path: string, use: (read: ReadBytes) => Promise<T>): Promise<T> {
  await using handle = await open(path, 'r').catch((cause: unknown) => {
    throw deviceError(cause, { path, operation: 'reading', offsetBytes: 0, lengthBytes: 0 });
  });
  return await use(async (offsetBytes, lengthBytes) => {
    const buffer = Buffer.alloc(lengthBytes);
    const { bytesRead } = await handle.read(buffer, 0, lengthBytes, offsetBytes);
    return buffer.subarray(0, bytesRead);
  });
}

async function statOrNull(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '')) return null;
    throw new ProvisionError('target_not_found', `${path} cannot be looked at`, { cause: error });
  }
}

async function fileFacts(path: string, sizeBytes: number, sectorBytes: SectorBytes): Promise<DiskFacts> {
  const loops = await loopsOfFile(path);
  return {
    path,
    name: basename(path),
    devno: '',
    sizeBytes: sizeBytes - (sizeBytes % sectorBytes),
    sectorBytes,
    readOnly: false,
    removable: false,
    kind: 'loop',
    transport: null,
    model: null,
    serial: null,
    wwn: null,
    partitions: [],
    users: loops.map((loop) => ({
      device: path,
      kind: 'other',
      detail: `attached to ${loop}, which \`losetup -d ${loop}\` ends`,
      canStop: false,
      depth: 0,
    })),
  };
}
