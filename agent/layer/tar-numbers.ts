/** Seconds since 1970 (may be negative) and 0…999,999,999 nanoseconds after them. */
export interface TarTime {
  readonly sec: number;
  readonly nsec: number;
}

/** A header field or record that is not what the format says; the parser adds layer, entry and offset. */
export class TarFormatError extends Error {}

/**
 * A numeric header field: octal text, or base-256 when the first bit is set (two's complement, GNU). Empty is 0.
 * Values beyond 2^53 are refused.
 */
export function readNumber(block: Buffer, offset: number, length: number): number {
  if (((block[offset] ?? 0) & 0x80) !== 0) return readBase256(block, offset, length);
  let start = offset;
  let end = offset + length;
  while (start < end && isPadding(block[start])) start += 1;
  let value = 0;
  for (; start < end; start += 1) {
    const digit = (block[start] ?? 0) - 0x30;
    if (digit >= 0 && digit <= 7) {
      value = value * 8 + digit;
      continue;
    }
    if (block[start] === 0) break;
    while (end > start && isPadding(block[end - 1])) end -= 1;
    if (end > start) throw new TarFormatError('a numeric field holds something else than octal digits');
  }
  return checked(value);
}

/** A number of which only the lower 32 bits count, as in chown(2). */
export function readOwner(block: Buffer, offset: number, length: number): number {
  return toOwner(readNumber(block, offset, length));
}

/** -1 becomes 4294967295, which chown(2) takes for "leave as it is". */
export function toOwner(value: number): number {
  return Number(BigInt.asUintN(32, BigInt(value)));
}

/** A decimal integer of a PAX record. */
export function parseDecimal(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new TarFormatError(`${JSON.stringify(text)} is not a decimal number`);
  return checked(Number(text));
}

/** A PAX time: decimal seconds with an optional fraction, of which nine digits count (pax(1)). */
export function parsePaxTime(text: string): TarTime {
  const match = /^([+-]?)(\d+)(?:\.(\d*))?$/.exec(text);
  if (!match) throw new TarFormatError(`${JSON.stringify(text)} is not a time`);
  const [, sign, seconds = '0', fraction = ''] = match;
  const sec = checked(Number(seconds));
  const nsec = Number(fraction.slice(0, 9).padEnd(9, '0'));
  if (sign !== '-') return { sec, nsec };
  return nsec === 0 ? { sec: -sec, nsec } : { sec: -sec - 1, nsec: 1_000_000_000 - nsec };
}

function readBase256(block: Buffer, offset: number, length: number): number {
  const isNegative = ((block[offset] ?? 0) & 0x40) !== 0;
  const digits = [...block.subarray(offset, offset + length)];
  digits[0] = isNegative ? (digits[0] ?? 0) | 0x80 : (digits[0] ?? 0) & 0x7f;
  let value = 0n;
  for (const digit of digits) value = (value << 8n) | BigInt(digit);
  return checked(Number(isNegative ? BigInt.asIntN(length * 8, value) : value));
}

function isPadding(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0;
}

function checked(value: number): number {
  if (!Number.isSafeInteger(value)) throw new TarFormatError('a number is larger than 2^53');
  return value;
}
