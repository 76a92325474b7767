import type { Logger } from '../../core/base/logger.ts';

/** What the work on an installed root filesystem is given. */
export interface RootfsContext {
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** GPT type GUIDs that this folder and agent/boot look for (UEFI 2.10 table 5-7, Discoverable Partitions, GRUB manual). */
export const partitionTypes = {
  esp: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  biosBoot: '21686148-6449-6e6f-744e-656564454649',
  xbootldr: 'bc13c2ff-59e6-4262-a352-b275fd6f7172',
} as const;

/** What names a partition and the file system on it. `null` = it has none. */
export interface PartitionIdentity {
  /** 1-based number in the GPT. */
  readonly number: number;
  /** Lower-case GPT type GUID. */
  readonly typeGuid: string;
  /** Unique partition GUID (PARTUUID). */
  readonly partUuid: string;
  /** GPT partition name (PARTLABEL). */
  readonly partLabel: string | null;
  /** File system UUID as blkid prints it (`1234-ABCD` for FAT). */
  readonly fsUuid: string | null;
  readonly fsLabel: string | null;
  /** `ext4`, `vfat`, … as blkid prints it. */
  readonly fsType: string | null;
}
