import { ProvisionError } from '../../core/base/errors.ts';
import { backupTableBytes, rawDiskBytes } from './geometry.ts';
import type { Gpt, Target } from './types.ts';

/**
 * Refuses, before the first write, a disk whose sectors are not the image's (failure row F36) or that is smaller than
 * the image (F37).
 * @throws ProvisionError `sector_size_mismatch`, `disk_too_small`.
 */
export function assertImageFits(imageGpt: Gpt, disk: Pick<Target, 'path' | 'sizeBytes' | 'sectorBytes'>): void {
  if (imageGpt.sectorBytes !== disk.sectorBytes) {
    throw new ProvisionError(
      'sector_size_mismatch',
      `${disk.path} has sectors of ${disk.sectorBytes} bytes and needs an image made for those; ` +
        `this one is made for ${imageGpt.sectorBytes}`,
      { facts: { disk_sector_bytes: disk.sectorBytes, image_sector_bytes: imageGpt.sectorBytes } },
    );
  }
  const lastUsedBytes = Math.max(
    ...imageGpt.partitions.map((partition) => (partition.lastLba + 1) * imageGpt.sectorBytes),
    0,
  );
  const needBytes = Math.max(rawDiskBytes(imageGpt), lastUsedBytes + backupTableBytes(imageGpt.sectorBytes));
  if (needBytes <= disk.sizeBytes) return;
  throw new ProvisionError(
    'disk_too_small',
    `the image needs ${needBytes} bytes and ${disk.path} has ${disk.sizeBytes}`,
    {
      facts: { needed_bytes: needBytes, disk_bytes: disk.sizeBytes },
    },
  );
}
