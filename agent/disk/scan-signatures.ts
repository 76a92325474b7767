import { rangeEnd } from './geometry.ts';
import { type Signature, signatures } from './signatures.ts';
import type { ByteRange, ReadBytes } from './types.ts';

export interface FoundSignature {
  readonly name: string;
  readonly isShared: boolean;
  /** From the start of the disk, and how long the magic is. */
  readonly range: ByteRange;
}

/** Reads are made in pieces of this size, aligned, and kept while one region is searched. */
const pageBytes = 64 * 1024;

/**
 * Every known signature on a device or in one region (an old partition) of it. At most one of each name per place is
 * given; ZFS's many uberblocks count once per label.
 */
export async function scanSignatures(read: ReadBytes, region: ByteRange): Promise<FoundSignature[]> {
  const page = cachedPages(read, region);
  const found: FoundSignature[] = [];
  const zfsLabels = new Set<number>();
  for (const signature of signatures) {
    for (const offset of signature.offsets(region.lengthBytes)) {
      const fits = offset >= 0 && offset + signature.magic.length <= region.lengthBytes;
      if (!fits || !(await isAt(signature, offset, page))) continue;
      if (signature.name === 'zfs_member') {
        const label = Math.floor(offset / (256 * 1024));
        if (zfsLabels.has(label)) continue;
        zfsLabels.add(label);
      }
      found.push({
        name: signature.name,
        isShared: signature.isShared === true,
        range: { offsetBytes: region.offsetBytes + offset, lengthBytes: signature.magic.length },
      });
    }
  }
  return found;
}

async function isAt(signature: Signature, offset: number, page: (index: number) => Promise<Buffer>): Promise<boolean> {
  const first = Math.floor(offset / pageBytes);
  const within = offset - first * pageBytes;
  const bytes = (await page(first)).subarray(within, within + signature.magic.length);
  if (bytes.length === signature.magic.length) return bytes.equals(signature.magic);
  const rest = (await page(first + 1)).subarray(0, signature.magic.length - bytes.length);
  return Buffer.concat([bytes, rest]).equals(signature.magic);
}

function cachedPages(read: ReadBytes, region: ByteRange): (index: number) => Promise<Buffer> {
  const pages = new Map<number, Promise<Buffer>>();
  return async (index) => {
    const cached = pages.get(index);
    if (cached !== undefined) return await cached;
    const offsetBytes = region.offsetBytes + index * pageBytes;
    const page = read(offsetBytes, Math.min(pageBytes, rangeEnd(region) - offsetBytes));
    pages.set(index, page);
    return await page;
  };
}
