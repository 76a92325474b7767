import type { BootLayout } from '../../agent/boot/installed-disk.ts';
import { type PartitionIdentity, partitionTypes } from '../../agent/rootfs/types.ts';

/** Identifiers of a disk as `durantic image build` lays it out: BIOS boot, ESP, root. */
export const identities = {
  biosPart: '10000000-0000-4000-8000-000000000001',
  espPart: '10000000-0000-4000-8000-000000000002',
  rootPart: '10000000-0000-4000-8000-000000000003',
  bootPart: '10000000-0000-4000-8000-000000000004',
  espFs: '1234-ABCD',
  rootFs: '20000000-0000-4000-8000-000000000003',
  bootFs: '20000000-0000-4000-8000-000000000004',
} as const;

const linuxRoot = '4f68bce3-e8cd-4db1-96e7-fbcaf984b709';

const partitions: readonly PartitionIdentity[] = [
  {
    number: 1,
    typeGuid: partitionTypes.biosBoot,
    partUuid: identities.biosPart,
    partLabel: null,
    fsUuid: null,
    fsLabel: null,
    fsType: null,
  },
  {
    number: 2,
    typeGuid: partitionTypes.esp,
    partUuid: identities.espPart,
    partLabel: null,
    fsUuid: identities.espFs,
    fsLabel: 'ESP',
    fsType: 'vfat',
  },
  {
    number: 3,
    typeGuid: linuxRoot,
    partUuid: identities.rootPart,
    partLabel: 'sys',
    fsUuid: identities.rootFs,
    fsLabel: 'root',
    fsType: 'ext4',
  },
];
const bootPartition: PartitionIdentity = {
  number: 4,
  typeGuid: partitionTypes.xbootldr,
  partUuid: identities.bootPart,
  partLabel: null,
  fsUuid: identities.bootFs,
  fsLabel: null,
  fsType: 'ext4',
};

/** The layout of a disk whose root is at `root`. */
export function bootLayout(root: string, options: { espDevice?: string; separateBoot?: boolean } = {}): BootLayout {
  const { espDevice = null, separateBoot = false } = options;
  return {
    root,
    partitions: separateBoot ? [...partitions, bootPartition] : partitions,
    rootNumber: 3,
    bootNumber: separateBoot ? 4 : null,
    espNumber: 2,
    espDevice,
  };
}
