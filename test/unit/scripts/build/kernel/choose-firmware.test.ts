import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { chooseFirmware, parseWantedFirmware } from '../../../../../scripts/build/kernel/choose-firmware.ts';
import { compressForLoader } from '../../../../../scripts/build/kernel/take-firmware.ts';

test('what drivers ask for is read from modinfo, and nothing else of it', () => {
  const modinfo = 'tg3.license=GPL\0tg3.firmware=tigon/tg3.bin\0r8169.firmware=rtl_nic/a-1.fw\0tg3.parm=firmware=x\0';
  assert.deepEqual(parseWantedFirmware(modinfo), [
    { module: 'r8169', path: 'rtl_nic/a-1.fw' },
    { module: 'tg3', path: 'tigon/tg3.bin' },
  ]);
});

const wanted = [
  { module: 'bnx2x', path: 'bnx2x/e2-7.13.15.fw' },
  { module: 'bnx2x', path: 'bnx2x/e2-7.13.21.fw' },
  { module: 'other', path: 'bnx2x/e2-7.13.15.fw' },
];

test('only what the table names for that driver is not taken', () => {
  const old = { module: 'bnx2x', files: /bnx2x\/.*-7\.13\.15\.fw/, kind: 'left out', reason: 'old' } as const;
  const { taken, absent } = chooseFirmware(wanted, [old]);
  assert.deepEqual(
    taken.map(({ module, path }) => `${module} ${path}`),
    ['bnx2x bnx2x/e2-7.13.21.fw', 'other bnx2x/e2-7.13.15.fw'],
  );
  assert.deepEqual(
    absent.map(({ path, why }) => [path, why.reason]),
    [['bnx2x/e2-7.13.15.fw', 'old']],
  );
});

test('an entry that no driver asks for any more is refused, one that matches a part of a name too', () => {
  for (const files of [/gone\.fw/, /7\.13\.15/]) {
    const entry = { module: 'bnx2x', files, kind: 'missing', reason: 'x' } as const;
    assert.throws(() => chooseFirmware(wanted, [entry]), /speaks of files that no driver asks for: bnx2x/);
  }
});

test('compressed firmware is one frame that states its size, as the kernel demands, and the same each time', () => {
  for (const size of [0, 1, 144, 70_000, 400_000]) {
    const content = Buffer.alloc(size, 'firmware of an adapter ');
    const frame = compressForLoader(content);
    assert.deepEqual(zstdDecompressSync(frame), content);
    assert.deepEqual(compressForLoader(content), frame);
    assert.equal(statedSize(frame), size);
  }
});

/** Frame_Content_Size of a zstd frame (RFC 8878, 3.1.1.1), undefined where the frame does not state it. */
function statedSize(frame: Buffer): number | undefined {
  assert.equal(frame.readUInt32LE(0), 0xfd2fb528);
  const descriptor = frame.readUInt8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const start = 5 + (isSingleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const flag = descriptor >> 6;
  if (flag === 0) return isSingleSegment ? frame.readUInt8(start) : undefined;
  if (flag === 1) return frame.readUInt16LE(start) + 256;
  return flag === 2 ? frame.readUInt32LE(start) : Number(frame.readBigUInt64LE(start));
}
