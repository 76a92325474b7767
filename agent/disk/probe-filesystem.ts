import { guidFromBytes } from './guid.ts';
import type { ReadBytes } from './types.ts';

export type FilesystemType =
  | 'ext2'
  | 'ext3'
  | 'ext4'
  | 'xfs'
  | 'vfat'
  | 'btrfs'
  | 'swap'
  | 'LVM2_member'
  | 'crypto_LUKS'
  | 'linux_raid_member'
  | 'zfs_member';

export interface FilesystemFacts {
  readonly type: FilesystemType;
  readonly label: string | null;
  /** As blkid prints it; null where the format has none. */
  readonly uuid: string | null;
}

type Probe = (head: Buffer, tail: Buffer) => FilesystemFacts | null;

const headBytes = 256 * 1024;
const tailBytes = 1024 * 1024;

/**
 * What a partition holds, by the magic numbers and fields that libblkid goes by. Containers (RAID, LVM, LUKS, ZFS) are
 * asked first: with md 1.0 and 0.90 the filesystem within shows at the partition's start as well.
 */
export async function probeFilesystem(read: ReadBytes, sizeBytes: number): Promise<FilesystemFacts | null> {
  const head = await read(0, Math.min(headBytes, sizeBytes));
  const tailLength = Math.min(tailBytes, sizeBytes);
  const tail = await read(sizeBytes - tailLength, tailLength);
  for (const probe of [raid(sizeBytes), zfs, lvm, luks, ext, xfs, btrfs, swap, vfat]) {
    const facts = probe(head, tail);
    if (facts !== null) return facts;
  }
  return null;
}

function has(buffer: Buffer, offset: number, magic: string): boolean {
  const bytes = Buffer.from(magic, 'latin1');
  return offset >= 0 && buffer.subarray(offset, offset + bytes.length).equals(bytes);
}

function labelAt(buffer: Buffer, offset: number, length: number): string | null {
  const text = buffer.toString('utf8', offset, offset + length);
  const end = text.indexOf('\0');
  const label = (end === -1 ? text : text.slice(0, end)).trimEnd();
  return label === '' ? null : label;
}

const ext: Probe = (head) => {
  const base = 1024;
  if (!has(head, base + 56, '\x53\xef')) return null;
  const compatible = head.readUInt32LE(base + 92);
  const incompatible = head.readUInt32LE(base + 96);
  const readOnlyCompatible = head.readUInt32LE(base + 100);
  const hasJournal = (compatible & 0x4) !== 0;
  // What ext3 knows: filetype, recover, meta_bg; sparse_super, large_file, btree_dir (libblkid, ext.c).
  const isNewer = (incompatible & ~0x16) !== 0 || (readOnlyCompatible & ~0x7) !== 0;
  return {
    type: isNewer ? 'ext4' : hasJournal ? 'ext3' : 'ext2',
    label: labelAt(head, base + 120, 16),
    uuid: guidFromBytes(head.subarray(base + 104, base + 120)),
  };
};

const xfs: Probe = (head) =>
  has(head, 0, 'XFSB')
    ? { type: 'xfs', label: labelAt(head, 108, 12), uuid: guidFromBytes(head.subarray(32, 48)) }
    : null;

const btrfs: Probe = (head) => {
  const base = 64 * 1024;
  if (!has(head, base + 64, '_BHRfS_M')) return null;
  return {
    type: 'btrfs',
    label: labelAt(head, base + 299, 256),
    uuid: guidFromBytes(head.subarray(base + 32, base + 48)),
  };
};

const swap: Probe = (head) =>
  has(head, 4086, 'SWAPSPACE2')
    ? { type: 'swap', label: labelAt(head, 1052, 16), uuid: guidFromBytes(head.subarray(1036, 1052)) }
    : null;

const vfat: Probe = (head) => {
  const isFat32 = has(head, 82, 'FAT32   ');
  if (!isFat32 && !has(head, 54, 'FAT16   ') && !has(head, 54, 'FAT12   ')) return null;
  const base = isFat32 ? 67 : 39;
  const serial = head.readUInt32LE(base).toString(16).toUpperCase().padStart(8, '0');
  const label = labelAt(head, base + 4, 11);
  return {
    type: 'vfat',
    label: label === 'NO NAME' ? null : label,
    uuid: `${serial.slice(0, 4)}-${serial.slice(4)}`,
  };
};

const lvm: Probe = (head) => {
  const isLabel = [0, 512, 1024, 1536].some((at) => has(head, at, 'LABELONE') && has(head, at + 24, 'LVM2 001'));
  return isLabel ? { type: 'LVM2_member', label: null, uuid: null } : null;
};

const luks: Probe = (head) => {
  if (!has(head, 0, 'LUKS\xba\xbe')) return null;
  return { type: 'crypto_LUKS', label: null, uuid: labelAt(head, 168, 40) };
};

const zfs: Probe = (head, tail) => {
  const hasUberblock = (buffer: Buffer, from: number): boolean => {
    for (let at = Math.max(0, from); at + 8 <= buffer.length; at += 1024) {
      const magic = buffer.readBigUInt64LE(at);
      if (magic === 0x00bab10cn || magic === 0x0cb1ba0000000000n) return true;
    }
    return false;
  };
  const isMember =
    hasUberblock(head.subarray(0, 256 * 1024), 128 * 1024) || hasUberblock(tail, tail.length - 512 * 1024);
  return isMember ? { type: 'zfs_member', label: null, uuid: null } : null;
};

function raid(sizeBytes: number): Probe {
  const magic = '\xfc\x4e\x2b\xa9';
  return (head, tail) => {
    const tailStart = sizeBytes - tail.length;
    const version090 = Math.floor(sizeBytes / 65536) * 65536 - 65536 - tailStart;
    const version10 = (Math.floor(sizeBytes / 512 - 16) & ~7) * 512 - tailStart;
    const isMember =
      has(head, 0, magic) || has(head, 4096, magic) || has(tail, version090, magic) || has(tail, version10, magic);
    return isMember ? { type: 'linux_raid_member', label: null, uuid: null } : null;
  };
}
