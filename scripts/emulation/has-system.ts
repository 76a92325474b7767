import { closeSync, openSync, readSync } from 'node:fs';
import type { VmDisk } from '../../test/vm/vm-disk.ts';

/** Whether a disk has anything in LBA 0, which an installation writes last. */
export function hasSystem({ file, sectorBytes }: VmDisk): boolean {
  const sector = Buffer.alloc(sectorBytes ?? 512);
  const fd = openSync(file, 'r');
  try {
    readSync(fd, sector, 0, sector.length, 0);
  } finally {
    closeSync(fd);
  }
  return sector.some((byte) => byte !== 0);
}
