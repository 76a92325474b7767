import { guidFromBytes } from './guid.ts';
import type { ReadBytes } from './types.ts';

/** What growing needs to know of an ext2/3/4 filesystem (kernel, Documentation/filesystems/ext4/super.rst). */
export interface Ext4Superblock {
  readonly blockBytes: number;
  readonly blocks: number;
  readonly freeBlocks: number;
  readonly reservedBlocks: number;
  readonly blocksPerGroup: number;
  readonly inodeBytes: number;
  readonly uuid: string;
  readonly label: string;
  readonly compatible: number;
  readonly incompatible: number;
  readonly readOnlyCompatible: number;
  readonly descriptorBytes: number;
  readonly reservedDescriptorBlocks: number;
  /** Null without a journal, or where the superblock does not tell its size. */
  readonly journalBytes: number | null;
}

const superblockOffset = 1024;
const compatibleBits = { hasJournal: 0x4 } as const;
export const incompatibleBits = { metaBg: 0x10, bits64: 0x80 } as const;

/** Reads the primary superblock; the caller knows that it is one (`probeFilesystem`). */
export async function readExt4Superblock(read: ReadBytes): Promise<Ext4Superblock> {
  const sb = await read(superblockOffset, 1024);
  const incompatible = sb.readUInt32LE(96);
  const compatible = sb.readUInt32LE(92);
  const is64Bit = (incompatible & incompatibleBits.bits64) !== 0;
  const high = (offset: number): number => (is64Bit ? sb.readUInt32LE(offset) : 0) * 2 ** 32;
  const hasJournal = (compatible & compatibleBits.hasJournal) !== 0;
  return {
    blockBytes: 1024 << sb.readUInt32LE(24),
    blocks: sb.readUInt32LE(4) + high(336),
    reservedBlocks: sb.readUInt32LE(8) + high(340),
    freeBlocks: sb.readUInt32LE(12) + high(344),
    blocksPerGroup: sb.readUInt32LE(32),
    inodeBytes: sb.readUInt16LE(88),
    uuid: guidFromBytes(sb.subarray(104, 120)),
    label: sb.toString('utf8', 120, 136).replace(/\0.*$/s, ''),
    compatible,
    incompatible,
    readOnlyCompatible: sb.readUInt32LE(100),
    descriptorBytes: is64Bit ? Math.max(32, sb.readUInt16LE(254)) : 32,
    reservedDescriptorBlocks: sb.readUInt16LE(206),
    // The journal inode's i_size is in the last two words of s_jnl_blocks when s_jnl_backup_type is 1.
    journalBytes: hasJournal && sb[253] === 1 ? sb.readUInt32LE(332) + sb.readUInt32LE(328) * 2 ** 32 : null,
  };
}
