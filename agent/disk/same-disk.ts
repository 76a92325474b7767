import { ProvisionError } from '../../core/base/errors.ts';
import type { DiskFacts } from './types.ts';

/** What makes a disk that disk; the kernel's name (`sda`) does not. */
const identity = ['sizeBytes', 'sectorBytes', 'serial', 'wwn', 'model'] as const;

/**
 * Makes sure, right before the first write, that the device under the target's name is still the disk that was chosen.
 * @throws ProvisionError `disk_changed` naming what differs.
 */
export function assertSameDisk(before: DiskFacts, now: DiskFacts): void {
  // Without serial number and wwn nothing but the device number tells one disk from another of the same size.
  const isNameless = before.serial === null && before.wwn === null;
  const compared = isNameless ? ([...identity, 'devno'] as const) : identity;
  const differing = compared.filter((key) => before[key] !== now[key]);
  if (differing.length === 0) return;
  const said = differing.map((key) => `${labelOf[key]} was ${before[key] ?? 'none'} and is ${now[key] ?? 'none'}`);
  throw new ProvisionError('disk_changed', `${now.path} is no longer the disk that was chosen: ${said.join(', ')}`, {
    facts: { before: `${before.path} ${before.serial ?? ''}`.trim(), now: `${now.path} ${now.serial ?? ''}`.trim() },
  });
}

const labelOf = {
  sizeBytes: 'the size in bytes',
  sectorBytes: 'the sector size',
  serial: 'the serial number',
  wwn: 'the wwn',
  model: 'the model',
  devno: 'the device number',
};
