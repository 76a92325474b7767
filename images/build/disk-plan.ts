import { ProvisionError } from '../../core/base/errors.ts';

/** GPT partition type GUIDs (UEFI specification 2.10, table 5.7; Discoverable Partitions Specification). */
export const partitionTypes = {
  biosBoot: '21686148-6449-6e6f-744e-656564454649',
  esp: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  linuxRootX8664: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
} as const;

/**
 * Identities of every disk that `make-disk` makes. They are fixed, so that the same input gives the same bytes;
 * an installation renews all of them (provisioning.md, invariant 7), and no file on the disk names one.
 */
export const fixedIdentities = {
  diskGuid: '64757261-6e74-4963-8000-000000000000',
  biosBootGuid: '64757261-6e74-4963-8000-000000000001',
  espGuid: '64757261-6e74-4963-8000-000000000002',
  rootGuid: '64757261-6e74-4963-8000-000000000003',
  rootUuid: '64757261-6e74-4963-8000-000000000004',
  rootHashSeed: '64757261-6e74-4963-8000-000000000005',
  /** FAT volume id. */
  espVolumeId: '64757261',
} as const;

export interface PlannedPartition {
  readonly number: number;
  readonly typeGuid: string;
  readonly uniqueGuid: string;
  readonly name: string;
  readonly firstLba: number;
  /** Inclusive. */
  readonly lastLba: number;
}

export interface DiskPlan {
  readonly sectorBytes: 512 | 4096;
  readonly diskBytes: number;
  readonly diskGuid: string;
  /** Null on a 4096-byte disk, which no BIOS starts from. */
  readonly biosBoot: PlannedPartition | null;
  readonly esp: PlannedPartition;
  /** Always the last partition, so that it can grow. */
  readonly root: PlannedPartition;
}

export const rootPartitionNumber = 3;

const mib = 1024 * 1024;
/** What follows the last partition: the backup GPT needs 33 sectors of 512 or 5 of 4096 bytes. */
const tailBytes = mib;
export const smallestEspBytes = 256 * mib;
/**
 * Room for the installer's kernel beside the loader; with 4096-byte clusters it also holds the 65,525 clusters below
 * which a file system is not FAT32 (Microsoft FAT specification, section 3.5).
 */
export const defaultEspBytes = 264 * mib;
export const defaultRootBytes = 256 * mib;

/**
 * Where everything lies on a layer-0 disk: 1 MiB head, BIOS boot partition (1 MiB, 512-byte sectors only), ESP, root.
 * All sizes in bytes. Numbers are the same for both sector sizes: 1 BIOS boot, 2 ESP, 3 root.
 * @throws ProvisionError `image_build_failed` for sizes that do not fit the format.
 */
export function planDisk(options: { sectorBytes: 512 | 4096; espBytes?: number; rootBytes?: number }): DiskPlan {
  const { sectorBytes, espBytes = defaultEspBytes, rootBytes = defaultRootBytes } = options;
  const needsEspBytes = sectorBytes === 4096 ? defaultEspBytes : smallestEspBytes;
  if (espBytes < needsEspBytes || espBytes % mib !== 0) {
    throw new ProvisionError(
      'image_build_failed',
      `an EFI system partition of ${espBytes} bytes is not possible: whole MiB, at least ${needsEspBytes / mib} MiB`,
    );
  }
  if (rootBytes < defaultRootBytes || rootBytes % mib !== 0) {
    throw new ProvisionError(
      'image_build_failed',
      `a root partition of ${rootBytes} bytes is not possible: whole MiB, at least ${defaultRootBytes / mib} MiB`,
    );
  }
  const espStart = 2 * mib;
  const rootStart = espStart + espBytes;
  const part = (number: number, type: string, guid: string, name: string, start: number, size: number) => ({
    number,
    typeGuid: type,
    uniqueGuid: guid,
    name,
    firstLba: start / sectorBytes,
    lastLba: (start + size) / sectorBytes - 1,
  });
  const { biosBootGuid, espGuid, rootGuid, diskGuid } = fixedIdentities;
  return {
    sectorBytes,
    diskBytes: rootStart + rootBytes + tailBytes,
    diskGuid,
    biosBoot: sectorBytes === 4096 ? null : part(1, partitionTypes.biosBoot, biosBootGuid, 'bios-boot', mib, mib),
    esp: part(2, partitionTypes.esp, espGuid, 'esp', espStart, espBytes),
    root: part(rootPartitionNumber, partitionTypes.linuxRootX8664, rootGuid, 'root', rootStart, rootBytes),
  };
}

/** First byte and length of a planned partition. */
export function partitionBytes(plan: DiskPlan, partition: PlannedPartition): { offset: number; length: number } {
  return {
    offset: partition.firstLba * plan.sectorBytes,
    length: (partition.lastLba - partition.firstLba + 1) * plan.sectorBytes,
  };
}
