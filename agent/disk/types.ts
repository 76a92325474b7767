import type { Logger } from '../../core/base/logger.ts';

export type SectorBytes = 512 | 4096;

/** What an installation writes to. Every method throws ProvisionError of kind `device` with the offset in its facts. */
export interface Target {
  /** Block device node, e.g. `/dev/nvme0n1` or `/dev/loop3`. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly sectorBytes: SectorBytes;
  /** Writes the whole buffer at the offset. */
  write(buffer: Uint8Array, offsetBytes: number): Promise<void>;
  /** Reads exactly `lengthBytes`. */
  read(offsetBytes: number, lengthBytes: number): Promise<Buffer>;
  /** fdatasync: returns when everything written so far is on the medium. */
  flush(): Promise<void>;
}

/** A Target that somebody has to close: unlocks, deletes registered partitions, detaches the loop device it made. */
export interface OpenTarget extends Target, AsyncDisposable {
  /** The file descriptor of the whole disk (for ioctls). */
  readonly fd: number;
  /** The plain file behind the loop device that was attached for it; null for a block device. */
  readonly loopOf: string | null;
  /** Partitions made known by BLKPG, with the node that we had to make ourselves; close takes both away again. */
  readonly registered: Map<number, string | null>;
  /**
   * Lets go of the O_EXCL open that keeps others from mounting or formatting the disk: while it is held, nobody can
   * mount or format its partitions either, we included. `registerPartitions` calls it.
   */
  releaseExclusive(): Promise<void>;
}

/** Everything about a disk that decides whether it may be written, and that identifies it. Read from sysfs. */
export interface DiskFacts {
  readonly path: string;
  /** Kernel name, `sda`, `nvme0n1`, `loop3`. */
  readonly name: string;
  /** `dev` number `major:minor`. */
  readonly devno: string;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly readOnly: boolean;
  readonly removable: boolean;
  readonly kind: 'disk' | 'loop' | 'partition' | 'cdrom' | 'floppy' | 'zram' | 'ram' | 'md' | 'dm' | 'other';
  readonly transport: string | null;
  readonly model: string | null;
  readonly serial: string | null;
  readonly wwn: string | null;
  readonly partitions: readonly PartitionFacts[];
  /** Sentences naming who uses the disk: mounts, swap, holders (md, LVM, LUKS) of the disk or its partitions. */
  readonly users: readonly DiskUser[];
  /** It holds an installer ISO of ours, and the machine may have been started from it (`markInstallerMedia`). */
  readonly isInstallerMedium?: boolean;
}

export interface PartitionFacts {
  readonly name: string;
  readonly number: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
}

export interface DiskUser {
  readonly device: string;
  readonly kind: 'mount' | 'swap' | 'md' | 'lvm' | 'crypt' | 'dm' | 'other';
  /** Mount point, md name, …: what to tell the operator. */
  readonly detail: string;
  /** True when it lies wholly on this disk and may be torn down (swap, md, LVM). */
  readonly canStop: boolean;
  /** How many devices lie between the disk and this user: what is stacked highest is stopped first. */
  readonly depth: number;
  /** LVM: UUID of the volume group, as `vgchange --select vg_uuid=` takes it. */
  readonly vgUuid?: string;
}

/** One used GPT entry. */
export interface GptPartition {
  /** 1-based number. */
  readonly number: number;
  /** Lower-case GUIDs. */
  readonly typeGuid: string;
  readonly uniqueGuid: string;
  readonly firstLba: number;
  /** Inclusive. */
  readonly lastLba: number;
  readonly attributes: bigint;
  readonly name: string;
}

/** A GUID partition table (UEFI specification 2.10, section 5.3), header and entries verified by CRC. */
export interface Gpt {
  readonly sectorBytes: SectorBytes;
  readonly diskGuid: string;
  readonly headerLba: number;
  readonly backupLba: number;
  readonly firstUsableLba: number;
  readonly lastUsableLba: number;
  readonly entriesLba: number;
  readonly entryCount: number;
  readonly entryBytes: number;
  readonly partitions: readonly GptPartition[];
}

/** Reads exactly `lengthBytes` at the offset of a disk, partition or file. */
export type ReadBytes = (offsetBytes: number, lengthBytes: number) => Promise<Buffer>;

/** Bytes of a region, in bytes from the start of the disk. */
export interface ByteRange {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** The table that will be committed: computed by sgdisk on a shadow of the disk, with new GUIDs. */
export interface GrownTable {
  readonly gpt: Gpt;
  readonly rootNumber: number;
  /** From LBA 0 up to the end of what is held back: protective MBR with the image's boot code, header, entries, gap. */
  readonly head: Buffer;
  /** Backup entries and header, to be written at `tailOffsetBytes`. */
  readonly tail: Buffer;
  readonly tailOffsetBytes: number;
  /** False where another partition follows the root. */
  readonly rootCanGrow: boolean;
}

/** One trace of earlier use that was found and removed. */
export interface RemovedSignature {
  /** `LVM2_member`, `linux_raid_member 1.2`, `zfs_member label 2`, `gpt backup`, … */
  readonly name: string;
  /** From the start of the disk. */
  readonly offsetBytes: number;
  /** `whole disk` or `old partition 3`. */
  readonly where: string;
}

/** What erasing a disk did and found. */
export interface EraseReport {
  readonly removed: readonly RemovedSignature[];
  /** Ranges that were overwritten with zeros by us. */
  readonly overwritten: readonly ByteRange[];
  /** Ranges that the device was told to forget (BLKDISCARD); what they read as afterwards is not relied on. */
  readonly discarded: readonly ByteRange[];
  /** Ranges that are zero for sure: BLKZEROOUT succeeded and samples read back as zero. */
  readonly zeroed: readonly ByteRange[];
  /** Partitions that the kernel knew of and was made to forget. */
  readonly forgottenPartitions: readonly number[];
  /** One sentence each, for people: exactly what was done. */
  readonly said: readonly string[];
}

export interface DiskContext {
  readonly log: Logger;
  readonly signal: AbortSignal;
}
