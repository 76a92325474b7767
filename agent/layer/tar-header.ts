import { readNumber, readOwner, TarFormatError, type TarTime } from './tar-numbers.ts';

export const blockBytes = 512;

/**
 * One header block as it stands (POSIX ustar, GNU and v7; "The tar file format" in pax(1) and GNU tar's manual). Names
 * are byte strings: one character per byte (latin1), whatever the archive's character set is.
 */
export interface TarHeader {
  readonly name: string;
  readonly linkName: string;
  /** One character; `\0` is v7's regular file. */
  readonly typeflag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtime: TarTime;
  /** GNU and star headers have one. */
  readonly atime: TarTime | null;
  readonly major: number;
  readonly minor: number;
  readonly isGnu: boolean;
}

/** Whether a block is all zeros, as the two at the end of an archive are. */
export function isZeroBlock(block: Buffer): boolean {
  for (let index = 0; index < blockBytes; index += 1) if (block[index] !== 0) return false;
  return true;
}

/** @throws TarFormatError when the checksum or a number is wrong. */
export function parseTarHeader(block: Buffer): TarHeader {
  checkSum(block);
  const magic = block.toString('latin1', 257, 265);
  const isUstar = magic.startsWith('ustar\0');
  const isGnu = magic === 'ustar  \0';
  const isStar = isUstar && block.toString('latin1', 508, 512) === 'tar\0';
  const hasDevices = isUstar || isGnu;
  const name = readText(block, 0, 100);
  const extra = isGnu ? readGnuExtra(block) : { prefix: '', atime: null };
  const prefix = isUstar ? readText(block, 345, isStar ? 131 : 155) : extra.prefix;
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: readText(block, 157, 100),
    typeflag: String.fromCharCode(block[156] ?? 0),
    mode: readNumber(block, 100, 8),
    uid: readOwner(block, 108, 8),
    gid: readOwner(block, 116, 8),
    sizeBytes: readNumber(block, 124, 12),
    mtime: { sec: readNumber(block, 136, 12), nsec: 0 },
    atime: isStar ? { sec: readNumber(block, 476, 12), nsec: 0 } : extra.atime,
    major: hasDevices ? readNumber(block, 329, 8) : 0,
    minor: hasDevices ? readNumber(block, 337, 8) : 0,
    isGnu,
  };
}

/** Bytes up to the first NUL as a byte string. */
export function readText(block: Buffer, offset: number, length: number): string {
  let end = offset;
  while (end < offset + length && block[end] !== 0) end += 1;
  return block.toString('latin1', offset, end);
}

/** Access and change time at 345 and 357. Old Go wrote a ustar prefix there, which is no number: then it is one. */
function readGnuExtra(block: Buffer): { prefix: string; atime: TarTime | null } {
  try {
    const [atime] = [345, 357].map((offset) => (block[offset] === 0 ? null : readNumber(block, offset, 12)));
    return { prefix: '', atime: atime === null || atime === undefined ? null : { sec: atime, nsec: 0 } };
  } catch (error) {
    if (!(error instanceof TarFormatError)) throw error;
    const text = readText(block, 345, 155);
    const isAscii = Buffer.from(text, 'latin1').every((byte) => byte < 0x80);
    return { prefix: isAscii ? text : '', atime: null };
  }
}

/** The sum of all bytes with the checksum field as blanks; some old writers took bytes as signed. */
function checkSum(block: Buffer): void {
  let sum = 8 * 0x20;
  for (let index = 0; index < 148; index += 1) sum += block[index] as number;
  for (let index = 156; index < blockBytes; index += 1) sum += block[index] as number;
  const stored = readNumber(block, 148, 8);
  if (stored === sum) return;
  let highBytes = 0;
  for (let index = 0; index < blockBytes; index += 1) {
    const isCounted = index < 148 || index >= 156;
    if (isCounted && (block[index] ?? 0) >= 0x80) highBytes += 1;
  }
  if (stored !== sum - 256 * highBytes) throw new TarFormatError('the header checksum does not match');
}
