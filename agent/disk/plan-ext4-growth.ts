import { type Ext4Superblock, incompatibleBits } from './ext4-superblock.ts';
import { mebibyte } from './geometry.ts';

export interface Ext4Growth {
  /** `remake` only where the contents are small enough to be put aside; otherwise it is grown all the same. */
  readonly how: 'unchanged' | 'grow' | 'remake';
  /** Why it would be better made anew: what growing cannot mend. */
  readonly poorBecause: readonly string[];
}

export const smallRootBytes = 64 * mebibyte;
const leastJournalBytes = 64 * mebibyte;
/** mke2fs gives a journal of 64 MiB from this size on (ext2fs_default_journal_size: 524,288 blocks of 4 KiB). */
const journalWorthyBytes = 2048 * mebibyte;
/** mke2fs makes blocks of 4 KiB from this size on (mke2fs.conf(5), type `small` below it). */
const fullBlockWorthyBytes = 512 * mebibyte;
const largest32BitBlocks = 2 ** 32 - 1;

/** Whether a filesystem can be grown to fill its partition, or would be poor there (provisioning.md, partition_resize). */
export function planExt4Growth(superblock: Ext4Superblock, partitionBytes: number): Ext4Growth {
  const { blockBytes } = superblock;
  const newBlocks = Math.floor(partitionBytes / blockBytes);
  if (newBlocks <= superblock.blocks) return { how: 'unchanged', poorBecause: [] };
  const poorBecause: string[] = [];
  if (blockBytes < 4096 && partitionBytes >= fullBlockWorthyBytes)
    poorBecause.push(`its blocks have ${blockBytes} bytes`);
  const { journalBytes } = superblock;
  if (journalBytes !== null && journalBytes < leastJournalBytes && partitionBytes >= journalWorthyBytes) {
    poorBecause.push(`its journal has ${Math.round(journalBytes / mebibyte)} MiB`);
  }
  if (isPastDescriptors(superblock, newBlocks)) {
    poorBecause.push('its group descriptors have no room for a filesystem of that size');
  }
  return { how: poorBecause.length === 0 ? 'grow' : 'remake', poorBecause };
}

/**
 * Descriptors lie in one block run after each superblock copy, with what was reserved for growth; resize2fs fails beyond
 * (measured: spike.md, section 1). With meta_bg they are spread, and nothing limits them.
 */
function isPastDescriptors(superblock: Ext4Superblock, newBlocks: number): boolean {
  const { incompatible, blocksPerGroup, descriptorBytes, blockBytes } = superblock;
  if ((incompatible & incompatibleBits.bits64) === 0 && newBlocks > largest32BitBlocks) return true;
  if ((incompatible & incompatibleBits.metaBg) !== 0) return false;
  const descriptorBlocks = (blocks: number): number =>
    Math.ceil((Math.ceil(blocks / blocksPerGroup) * descriptorBytes) / blockBytes);
  const room = descriptorBlocks(superblock.blocks) + superblock.reservedDescriptorBlocks;
  return descriptorBlocks(newBlocks) > room;
}
