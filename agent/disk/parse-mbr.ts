import type { ByteRange, ReadBytes } from './types.ts';

export interface MbrPartition extends ByteRange {
  readonly number: number;
  readonly type: number;
}

const longestChain = 64;
const extendedTypes = new Set([0x05, 0x0f, 0x85]);
const protectiveType = 0xee;

/**
 * The partitions of a DOS table with its logical ones; none where there is no table, or only a protective one. Entries
 * that make no sense are left out: this reads what earlier systems left behind, it judges nothing.
 */
export async function parseMbr(read: ReadBytes, sizeBytes: number, sectorBytes: number): Promise<MbrPartition[]> {
  const entries = await readEntries(read, 0, sectorBytes);
  const partitions: MbrPartition[] = [];
  for (const [index, entry] of entries.entries()) {
    if (entry.type === protectiveType || entry.sectors === 0) continue;
    const offsetBytes = entry.start * sectorBytes;
    if (extendedTypes.has(entry.type)) {
      partitions.push(...(await readLogical(read, { offsetBytes, sizeBytes, sectorBytes })));
    } else {
      partitions.push({ number: index + 1, type: entry.type, offsetBytes, lengthBytes: entry.sectors * sectorBytes });
    }
  }
  return partitions.filter((partition) => partition.offsetBytes > 0 && partition.offsetBytes < sizeBytes);
}

interface Entry {
  readonly type: number;
  readonly start: number;
  readonly sectors: number;
}

/** Each logical partition has a table of its own: one entry for it, one for the next table in the chain. */
async function readLogical(
  read: ReadBytes,
  chain: { readonly offsetBytes: number; readonly sizeBytes: number; readonly sectorBytes: number },
): Promise<MbrPartition[]> {
  const partitions: MbrPartition[] = [];
  let tableBytes = chain.offsetBytes;
  for (let count = 0; count < longestChain; count += 1) {
    if (tableBytes + chain.sectorBytes > chain.sizeBytes) break;
    const [own, next] = await readEntries(read, tableBytes, chain.sectorBytes);
    if (own === undefined) break;
    if (own.sectors > 0) {
      partitions.push({
        number: 5 + count,
        type: own.type,
        offsetBytes: tableBytes + own.start * chain.sectorBytes,
        lengthBytes: own.sectors * chain.sectorBytes,
      });
    }
    if (next === undefined || next.sectors === 0) break;
    tableBytes = chain.offsetBytes + next.start * chain.sectorBytes;
  }
  return partitions;
}

async function readEntries(read: ReadBytes, offsetBytes: number, sectorBytes: number): Promise<Entry[]> {
  const sector = await read(offsetBytes, sectorBytes);
  if (sector.readUInt16LE(510) !== 0xaa55) return [];
  return [446, 462, 478, 494].map((at) => ({
    type: sector[at + 4] ?? 0,
    start: sector.readUInt32LE(at + 8),
    sectors: sector.readUInt32LE(at + 12),
  }));
}
