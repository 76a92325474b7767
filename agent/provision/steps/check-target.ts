import { ProvisionError } from '../../../core/base/errors.ts';
import { assertUsable } from '../../disk/assert-usable.ts';
import type { DiskFacts, Gpt, GptPartition } from '../../disk/types.ts';
import { partitionTypes } from '../../rootfs/types.ts';
import type { Firmware } from '../types.ts';
import type { FoundTarget } from './find-target.ts';
import { withReader } from './find-target.ts';
import type { InspectedImage } from './inspect-image.ts';

/** Below this the ext4 of a root filesystem takes a few per cent for itself; what a label tells is compared with less. */
const usableShareOfRoot = 0.95;

/**
 * Whether this image can go onto this disk, as far as can be told before the first write.
 * @throws ProvisionError `disk_busy`, `disk_not_eligible`, `disk_shared_filesystem`, `sector_size_mismatch`,
 * `disk_too_small`, `firmware_mismatch`.
 */
export async function checkTarget(target: FoundTarget, inspected: InspectedImage, firmware: Firmware): Promise<void> {
  const { facts } = target;
  await withReader(facts.path, (read) => assertUsable(facts, { read }));
  checkSectorSize(facts, inspected.disk.gpt);
  checkSize(facts, inspected);
  checkFirmware(inspected.disk.gpt, firmware);
}

/** @throws ProvisionError `disk_too_small` when the labels say that the unpacked system does not fit on the root. */
export function checkRootSize(facts: DiskFacts, inspected: InspectedImage, root: GptPartition): void {
  const { gpt } = inspected.disk;
  const isLast = gpt.partitions.every((other) => other.firstLba <= root.firstLba);
  const firstByte = root.firstLba * gpt.sectorBytes;
  const rootBytes = isLast ? facts.sizeBytes - firstByte : (root.lastLba - root.firstLba + 1) * gpt.sectorBytes;
  const neededBytes = inspected.unpackedBytes ?? 0;
  if (neededBytes > rootBytes * usableShareOfRoot) {
    throw new ProvisionError(
      'disk_too_small',
      `the root partition would have ${rootBytes} bytes, and the unpacked system needs ${neededBytes}`,
      {
        facts: { root_bytes: rootBytes, needed_bytes: neededBytes },
      },
    );
  }
}

function checkSectorSize(facts: DiskFacts, gpt: Gpt): void {
  if (facts.sectorBytes === gpt.sectorBytes) return;
  throw new ProvisionError(
    'sector_size_mismatch',
    `${facts.path} has ${facts.sectorBytes}-byte sectors and the image is made for ${gpt.sectorBytes}-byte sectors; an image made with --sector-size ${facts.sectorBytes} is needed`,
    { facts: { disk_sector_bytes: facts.sectorBytes, image_sector_bytes: gpt.sectorBytes } },
  );
}

function checkSize(facts: DiskFacts, inspected: InspectedImage): void {
  const { diskBytes } = inspected.disk;
  if (facts.sizeBytes >= diskBytes) return;
  throw new ProvisionError(
    'disk_too_small',
    `${facts.path} has ${facts.sizeBytes} bytes and the image's raw disk has ${diskBytes}`,
    {
      facts: { disk_bytes: facts.sizeBytes, image_bytes: diskBytes },
    },
  );
}

function checkFirmware(gpt: Gpt, firmware: Firmware): void {
  const has = (typeGuid: string): boolean => gpt.partitions.some((partition) => partition.typeGuid === typeGuid);
  const bios = has(partitionTypes.biosBoot);
  const uefi = has(partitionTypes.esp);
  if (firmware === 'either' ? bios || uefi : firmware === 'bios' ? bios : uefi) return;
  const missing =
    firmware === 'bios'
      ? 'no BIOS boot partition'
      : firmware === 'uefi'
        ? 'no EFI system partition'
        : 'neither a BIOS boot partition nor an EFI system partition';
  const why =
    firmware === 'either'
      ? 'so nothing can boot it'
      : `and this machine was started by ${firmware === 'bios' ? 'BIOS' : 'UEFI'} firmware`;
  throw new ProvisionError('firmware_mismatch', `the image has ${missing}, ${why}`, { facts: { firmware } });
}
