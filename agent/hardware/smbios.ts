import { join } from 'node:path';
import { readAttribute, type SystemRoots } from './sysfs.ts';

export type SmbiosField =
  | 'product_uuid'
  | 'sys_vendor'
  | 'product_name'
  | 'product_serial'
  | 'board_serial'
  | 'bios_vendor'
  | 'bios_version';

/** What vendors leave in fields that nobody has filled in. */
const placeholders = new Set([
  'to be filled by o.e.m.',
  'to be filled by o.e.m',
  'default string',
  'not specified',
  'not applicable',
  'not available',
  'system serial number',
  'base board serial number',
  'system product name',
  'system manufacturer',
  'none',
  'n/a',
  'na',
  'unknown',
  'invalid',
  'oem',
  'empty',
  '0',
  '0123456789',
  '123456789',
]);

/** One field of SMBIOS types 0 to 2 (DMTF DSP0134) as the kernel shows it; null where the firmware says nothing. */
export async function readSmbios(roots: SystemRoots, field: SmbiosField): Promise<string | null> {
  const text = await readAttribute(join(roots.sysRoot, 'class/dmi/id', field));
  const clean = (text ?? '')
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, 256);
  if (clean === '' || placeholders.has(clean.toLowerCase()) || /^[.\-x*]+$/i.test(clean)) return null;
  return field === 'product_uuid' ? uuidOrNull(clean) : clean;
}

function uuidOrNull(text: string): string | null {
  const uuid = text.toLowerCase();
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) return null;
  // "Not set" and "not present" (DSP0134, 7.2.1).
  return /^[0-]+$|^[f-]+$/.test(uuid) ? null : uuid;
}
