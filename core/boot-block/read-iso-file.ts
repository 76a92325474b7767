import { isoBlockBytes, isoBlockPath } from './iso-block.ts';

/** Reads up to `lengthBytes` at an offset of an ISO image or of the medium that holds it; less at its end. */
export type ReadIso = (offsetBytes: number, lengthBytes: number) => Promise<Buffer>;

/** ECMA-119, section 6.2.2: logical sectors; the volume descriptors begin with the sixteenth (section 6.2.1). */
const sectorBytes = 2048;
const descriptorOffset = 16 * sectorBytes;
/** Where the root's directory record stands in the primary volume descriptor (section 8.4). */
const rootRecordAt = 156;
const largestFolderBytes = 64 * 1024;

interface IsoEntry {
  readonly name: string;
  readonly isFolder: boolean;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/**
 * The block with settings of an installer ISO, found by its path and not by reading the whole medium; null where there
 * is no ISO 9660 file system, or none with that file. Names are compared as ECMA-119 keeps them: in capitals, with a
 * version.
 */
export async function readIsoBlock(read: ReadIso): Promise<Buffer | null> {
  const descriptor = await read(descriptorOffset, sectorBytes);
  if (descriptor.length < sectorBytes || descriptor[0] !== 1 || descriptor.toString('latin1', 1, 6) !== 'CD001') {
    return null;
  }
  let entry = entryAt(descriptor, rootRecordAt);
  for (const part of isoBlockPath.split('/').filter(Boolean)) {
    if (entry === null || !entry.isFolder) return null;
    const folder = await read(entry.offsetBytes, Math.min(entry.lengthBytes, largestFolderBytes));
    entry = entriesOf(folder).find(({ name }) => name === part) ?? null;
  }
  if (entry === null || entry.isFolder || entry.lengthBytes !== isoBlockBytes) return null;
  const block = await read(entry.offsetBytes, isoBlockBytes);
  return block.length === isoBlockBytes ? block : null;
}

function entriesOf(folder: Buffer): IsoEntry[] {
  const entries: IsoEntry[] = [];
  for (let at = 0; at < folder.length; ) {
    const lengthBytes = folder[at] ?? 0;
    // Records do not cross sectors; the rest of one is zeros (section 6.8.1.1).
    if (lengthBytes === 0) at = (Math.floor(at / sectorBytes) + 1) * sectorBytes;
    else {
      const entry = entryAt(folder, at);
      if (entry !== null) entries.push(entry);
      at += lengthBytes;
    }
  }
  return entries;
}

/** A directory record (section 9.1); numbers stand in both byte orders, the little one first. */
function entryAt(buffer: Buffer, at: number): IsoEntry | null {
  const nameBytes = buffer[at + 32] ?? 0;
  if (at + 33 + nameBytes > buffer.length) return null;
  const name = buffer.toString('latin1', at + 33, at + 33 + nameBytes);
  return {
    name: name.toLowerCase().replace(/;\d+$/, '').replace(/\.$/, ''),
    isFolder: ((buffer[at + 25] ?? 0) & 2) !== 0,
    offsetBytes: buffer.readUInt32LE(at + 2) * sectorBytes,
    lengthBytes: buffer.readUInt32LE(at + 10),
  };
}
