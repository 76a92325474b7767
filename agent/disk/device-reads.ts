import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

/**
 * How many 512-byte sectors the device has delivered since it is known: field 3 of /sys/block/NAME/stat
 * (Documentation/block/stat.rst).
 */
export function sectorsRead(path: string, sysRoot = '/sys'): number {
  const fields = readFileSync(`${sysRoot}/block/${basename(path)}/stat`, 'utf8')
    .trim()
    .split(/\s+/);
  return Number(fields[2]);
}
