import { buildEntry, gnuMagic, type RawEntry } from './tar-builder.ts';

export interface SparsePiece {
  readonly offset: number;
  readonly data: string | Uint8Array;
}

/** The sparse file `name` of `realSize` bytes in each format that GNU tar has written. */
export const sparseFormats: Readonly<
  Record<string, (name: string, realSize: number, pieces: readonly SparsePiece[]) => Buffer>
> = {
  'old GNU': buildOldGnu,
  'PAX 0.0': (name, realSize, pieces) => {
    const pax: [string, string][] = [
      ['GNU.sparse.size', String(realSize)],
      ['GNU.sparse.numblocks', String(pieces.length)],
    ];
    for (const piece of pieces) {
      pax.push(['GNU.sparse.offset', String(piece.offset)], ['GNU.sparse.numbytes', String(toBytes(piece).length)]);
    }
    return buildEntry({ name, pax, data: Buffer.concat(pieces.map(toBytes)) });
  },
  'PAX 0.1': (name, realSize, pieces) => {
    const map = pieces.map((piece) => `${piece.offset},${toBytes(piece).length}`).join(',');
    const pax: [string, string][] = [
      ['GNU.sparse.name', name],
      ['GNU.sparse.size', String(realSize)],
      ['GNU.sparse.numblocks', String(pieces.length)],
      ['GNU.sparse.map', map],
    ];
    return buildEntry({ name: `GNUSparseFile.1/${name}`, pax, data: Buffer.concat(pieces.map(toBytes)) });
  },
  'PAX 1.0': (name, realSize, pieces) => {
    const pax: [string, string][] = [
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
      ['GNU.sparse.name', name],
      ['GNU.sparse.realsize', String(realSize)],
    ];
    const lines = [String(pieces.length)];
    for (const piece of pieces) lines.push(String(piece.offset), String(toBytes(piece).length));
    const map = Buffer.from(`${lines.join('\n')}\n`);
    const padded = Buffer.concat([map, Buffer.alloc((512 - (map.length % 512)) % 512)]);
    return buildEntry({ name: `GNUSparseFile.1/${name}`, pax, data: Buffer.concat([padded, ...pieces.map(toBytes)]) });
  },
};

/** Four pieces in the header, 21 in each extension block. */
function buildOldGnu(name: string, realSize: number, pieces: readonly SparsePiece[]): Buffer {
  const rest = pieces.slice(4);
  const header = Buffer.alloc(109);
  writePieces(header, 0, pieces.slice(0, 4));
  header[96] = rest.length > 0 ? 1 : 0;
  header.write(realSize.toString(8).padStart(11, '0'), 97, 'latin1');
  const data = Buffer.concat(pieces.map(toBytes));
  const entry: RawEntry = { name, typeflag: 'S', magic: gnuMagic, data, patches: [{ offset: 386, bytes: header }] };
  const whole = buildEntry(entry);
  const extensions: Buffer[] = [];
  for (let start = 0; start < rest.length; start += 21) {
    const block = Buffer.alloc(512);
    writePieces(block, 0, rest.slice(start, start + 21));
    block[504] = start + 21 < rest.length ? 1 : 0;
    extensions.push(block);
  }
  return Buffer.concat([whole.subarray(0, 512), ...extensions, whole.subarray(512)]);
}

function writePieces(block: Buffer, start: number, pieces: readonly SparsePiece[]): void {
  for (const [index, piece] of pieces.entries()) {
    block.write(`${piece.offset.toString(8).padStart(11, '0')}\0`, start + index * 24, 'latin1');
    block.write(`${toBytes(piece).length.toString(8).padStart(11, '0')}\0`, start + index * 24 + 12, 'latin1');
  }
}

function toBytes(piece: SparsePiece): Buffer {
  return typeof piece.data === 'string' ? Buffer.from(piece.data, 'latin1') : Buffer.from(piece.data);
}
