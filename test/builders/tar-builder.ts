/** A header as it shall stand in the archive; whatever is given is written, valid or not. Strings are latin1 bytes. */
export interface RawHeader {
  readonly name?: string;
  readonly typeflag?: string;
  readonly mode?: number | string;
  readonly uid?: number | bigint | string;
  readonly gid?: number | bigint | string;
  /** Of the header; the data's length unless given. */
  readonly size?: number | bigint | string;
  readonly mtime?: number | bigint | string;
  readonly linkName?: string;
  readonly magic?: string;
  readonly major?: number | string;
  readonly minor?: number | string;
  readonly prefix?: string;
  /** Written over the finished block at an offset, before the checksum. */
  readonly patches?: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
  readonly checksum?: number;
}

export interface RawEntry extends RawHeader {
  readonly data?: Uint8Array | string;
  /** PAX records that precede it, in order; values are latin1 bytes or buffers. */
  readonly pax?: readonly (readonly [string, string | Uint8Array])[];
  /** GNU long name and link name entries that precede it. */
  readonly longName?: string;
  readonly longLink?: string;
}

const ustarMagic = 'ustar\x0000';
export const gnuMagic = 'ustar  \0';

/** An archive from entries or ready blocks, with the two blocks of zeros at its end unless `endMarker` is false. */
export function buildTar(entries: readonly (RawEntry | Buffer)[], options: { endMarker?: boolean } = {}): Buffer {
  const parts = entries.map((entry) => (Buffer.isBuffer(entry) ? entry : buildEntry(entry)));
  if (options.endMarker !== false) parts.push(Buffer.alloc(1024));
  return Buffer.concat(parts);
}

export function buildEntry(entry: RawEntry): Buffer {
  const data = toBytes(entry.data ?? '');
  const parts: Buffer[] = [];
  if (entry.pax) parts.push(buildPax(entry.pax));
  if (entry.longName !== undefined) parts.push(buildLong('L', entry.longName));
  if (entry.longLink !== undefined) parts.push(buildLong('K', entry.longLink));
  parts.push(buildHeader({ size: data.length, ...entry }), data, padding(data.length));
  return Buffer.concat(parts);
}

/** A PAX extended header (`x`) or a global one (`g`). */
export function buildPax(records: readonly (readonly [string, string | Uint8Array])[], typeflag = 'x'): Buffer {
  const body = Buffer.concat(records.map(([key, value]) => buildPaxRecord(key, value)));
  return buildEntry({ name: 'PaxHeaders/entry', typeflag, data: body });
}

/** `LENGTH KEY=VALUE\n`, the length counting its own digits. */
export function buildPaxRecord(key: string, value: string | Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), toBytes(value), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

export function buildHeader(header: RawHeader): Buffer {
  const block = Buffer.alloc(512);
  block.write((header.name ?? 'file').slice(0, 100), 0, 'latin1');
  writeNumber(block, 100, 8, header.mode ?? 0o644);
  writeNumber(block, 108, 8, header.uid ?? 0);
  writeNumber(block, 116, 8, header.gid ?? 0);
  writeNumber(block, 124, 12, header.size ?? 0);
  writeNumber(block, 136, 12, header.mtime ?? 1_600_000_000);
  block.write(header.typeflag ?? '0', 156, 'latin1');
  block.write((header.linkName ?? '').slice(0, 100), 157, 'latin1');
  block.write(header.magic ?? ustarMagic, 257, 'latin1');
  if (header.magic === undefined || header.magic === gnuMagic || header.major !== undefined) {
    writeNumber(block, 329, 8, header.major ?? 0);
    writeNumber(block, 337, 8, header.minor ?? 0);
  }
  if (header.prefix !== undefined) block.write(header.prefix.slice(0, 155), 345, 'latin1');
  for (const { offset, bytes } of header.patches ?? []) block.set(bytes, offset);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${(header.checksum ?? sum).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** Octal with a NUL where it fits, else base-256; a string is written as it is. */
function writeNumber(block: Buffer, offset: number, length: number, value: number | bigint | string): void {
  if (typeof value === 'string') {
    block.write(value, offset, length, 'latin1');
    return;
  }
  const octal = value.toString(8).padStart(length - 1, '0');
  if (value >= 0 && octal.length < length) {
    block.write(`${octal}\0`, offset, 'latin1');
    return;
  }
  let rest = BigInt.asUintN(length * 8, BigInt(value));
  for (let index = length - 1; index >= 0; index -= 1) {
    block[offset + index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block[offset] = (block[offset] ?? 0) | 0x80;
}

function buildLong(typeflag: string, name: string): Buffer {
  return buildEntry({ name: '././@LongLink', typeflag, magic: gnuMagic, data: Buffer.from(`${name}\0`, 'latin1') });
}

function padding(length: number): Buffer {
  return Buffer.alloc((512 - (length % 512)) % 512);
}

function toBytes(value: string | Uint8Array): Buffer {
  return typeof value === 'string' ? Buffer.from(value, 'latin1') : Buffer.from(value);
}
