import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import {
  parseDecimal,
  parsePaxTime,
  readNumber,
  readOwner,
  TarFormatError,
} from '../../../../agent/layer/tar-numbers.ts';

const field = (text: string): Buffer => Buffer.from(text, 'latin1');

it('octal fields: padded by blanks and NULs as writers do', () => {
  for (const [text, value] of [
    ['0000644\0', 0o644],
    ['   644 \0', 0o644],
    ['644\0junk', 0o644],
    ['\0\0\0\0\0\0\0\0', 0],
    ['        ', 0],
    ['77777777', 0o77777777],
  ] as const) {
    assert.equal(readNumber(field(text), 0, 8), value, JSON.stringify(text));
  }
});

it('fields with anything else are refused', () => {
  for (const text of ['0000648\0', '-000001\0', '64 4\0\0\0\0', 'rwxr-xr-']) {
    assert.throws(() => readNumber(field(text), 0, 8), TarFormatError, JSON.stringify(text));
  }
});

it('base-256 fields: both signs, up to 2^53', () => {
  const write = (value: bigint): Buffer => {
    const bytes = Buffer.alloc(12);
    let rest = BigInt.asUintN(96, value);
    for (let index = 11; index >= 0; index -= 1) {
      bytes[index] = Number(rest & 0xffn);
      rest >>= 8n;
    }
    bytes[0] = (bytes[0] ?? 0) | 0x80;
    return bytes;
  };
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      assert.equal(readNumber(write(BigInt(value)), 0, 12), value);
    }),
  );
  assert.throws(() => readNumber(write(2n ** 60n), 0, 12), TarFormatError);
  assert.equal(readOwner(write(-1n), 0, 12), 0xffffffff);
});

it('decimals of PAX records', () => {
  assert.equal(parseDecimal('0123'), 123);
  assert.equal(parseDecimal('-7'), -7);
  for (const text of ['', '1.5', '0x10', '1e3', ' 1', '99999999999999999999']) {
    assert.throws(() => parseDecimal(text), TarFormatError, text);
  }
});

it('PAX times: nine digits count, negative ones go down', () => {
  for (const [text, sec, nsec] of [
    ['5', 5, 0],
    ['5.', 5, 0],
    ['5.25', 5, 250_000_000],
    ['1.0000000019', 1, 1],
    ['-1', -1, 0],
    ['-1.25', -2, 750_000_000],
    ['-0.000000001', -1, 999_999_999],
  ] as const) {
    assert.deepEqual(parsePaxTime(text), { sec, nsec }, text);
  }
  for (const text of ['', '.5', '1.5.5', '1.x', '--1']) assert.throws(() => parsePaxTime(text), TarFormatError, text);
});
