import { open, truncate } from 'node:fs/promises';
import { runCommand } from '../../../core/base/run-command.ts';
import { Resources } from '../../resources.ts';

const mib = 1024 ** 2;

/** The smallest disk that has room for the old partitions. */
export const oldDiskMib = 400;

export async function writeAt(path: string, offsetBytes: number, bytes: Buffer): Promise<void> {
  await using handle = await open(path, 'r+');
  await handle.write(bytes, 0, bytes.length, offsetBytes);
}

/** Partitions of the old disk, without the shift. */
export const oldPartitions = [
  { name: 'LVM and an md 1.0 at its end', startMib: 1, sizeMib: 40 },
  { name: 'ZFS', startMib: 41, sizeMib: 70 },
  { name: 'md 1.2', startMib: 111, sizeMib: 40 },
  { name: 'btrfs with a mirror', startMib: 151, sizeMib: 120 },
  { name: 'LUKS2', startMib: 271, sizeMib: 20 },
  { name: 'ext4 with an md 0.90 at its end', startMib: 291, sizeMib: 40 },
  { name: 'xfs', startMib: 331, sizeMib: 60 },
] as const;

/** ZFS: the uberblock's magic in the labels at both ends (this machine has no zpool). */
async function writeZfs(path: string, startBytes: number, sizeBytes: number): Promise<void> {
  const magic = Buffer.from('0cb1ba0000000000', 'hex');
  const label = 256 * 1024;
  for (const at of [0, label, sizeBytes - 2 * label, sizeBytes - label]) {
    for (let index = 0; index < 8; index += 1) await writeAt(path, startBytes + at + 128 * 1024 + index * 1024, magic);
  }
}

/** LVM2: the label of a physical volume, as pvcreate writes it into the second sector (its tools need device-mapper). */
export function lvmLabel(): Buffer {
  const sector = Buffer.alloc(512);
  sector.write('LABELONE', 0, 'latin1');
  sector.writeBigUInt64LE(1n, 8);
  sector.writeUInt32LE(32, 20);
  sector.write('LVM2 001', 24, 'latin1');
  sector.write('abcdefghijklmnopqrstuvwxyz012345', 32, 'latin1');
  return sector;
}

function mdMagic(): Buffer {
  return Buffer.from('fc4e2ba9', 'hex');
}

/**
 * Makes a disk full of everything that could come back, with real tools where they run without kernel support: a GPT
 * whose partitions lie where `oldPartitions` says, so many MiB further on.
 */
export async function fillWithOldData(
  device: string,
  { diskMib = oldDiskMib, shiftMib = 0 }: { readonly diskMib?: number; readonly shiftMib?: number } = {},
): Promise<void> {
  const partitions = oldPartitions.map((old) => ({ ...old, startMib: old.startMib + shiftMib }));
  const numbers = partitions.flatMap(({ startMib, sizeMib }, index) => [
    '-n',
    `${index + 1}:${startMib}M:+${sizeMib}M`,
  ]);
  await runCommand('sgdisk', ['-a', '1', ...numbers, device]);
  const at = (index: number): { start: number; size: number } => ({
    start: (partitions[index]?.startMib ?? 0) * mib,
    size: (partitions[index]?.sizeMib ?? 0) * mib,
  });
  const offset = (index: number): string[] => ['-E', `offset=${at(index).start}`];
  await writeAt(device, at(0).start + 512, lvmLabel());
  await writeAt(device, at(0).start + (at(0).size / 512 - 16) * 512, mdMagic());
  await writeZfs(device, at(1).start, at(1).size);
  await writeAt(device, at(2).start + 4096, mdMagic());
  await using tool = new Resources();
  const btrfs = tool.sparseFile(at(3).size);
  await runCommand('mkfs.btrfs', ['-q', '-L', 'old', btrfs]);
  await runCommand('dd', [`if=${btrfs}`, `of=${device}`, 'bs=1M', `seek=${at(3).start / mib}`, 'conv=notrunc']);
  await writeAt(device, at(4).start, Buffer.concat([Buffer.from('LUKS\xba\xbe', 'latin1'), Buffer.from([0, 2])]));
  await writeAt(
    device,
    at(4).start + 4 * mib,
    Buffer.concat([Buffer.from('SKUL\xba\xbe', 'latin1'), Buffer.from([0, 2])]),
  );
  await runCommand('mkfs.ext4', ['-q', '-F', ...offset(5), device, `${at(5).size / 1024}k`]);
  await writeAt(device, at(5).start + at(5).size - 65536, mdMagic());
  const xfs = tool.sparseFile(320 * mib);
  await runCommand('mkfs.xfs', ['-q', xfs]);
  await truncate(xfs, at(6).size);
  await runCommand('dd', [`if=${xfs}`, `of=${device}`, 'bs=1M', `seek=${at(6).start / mib}`, 'conv=notrunc']);
  // Of the whole disk, before its last 33 sectors, which are the backup table.
  await writeAt(device, diskMib * mib - 65536, mdMagic());
}
