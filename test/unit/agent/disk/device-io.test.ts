import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFaultyTarget } from '../../../fakes/faulty-target.ts';

const sizeBytes = 64 * 1024;

test('F60 a short write is finished where it stopped', async () => {
  const script = [0, 1, 2].map((nthCall) => ({ on: 'write', nthCall, does: 'short', bytes: 700 }) as const);
  const target = createFaultyTarget({ sizeBytes, script });
  const data = Buffer.alloc(5000, 'new');
  await target.write(data, 1234);
  assert.ok(target.contents.subarray(1234, 6234).equals(data));
  assert.deepEqual(target.calls[1], { offsetBytes: 1934, lengthBytes: 700 });
});

test('F60 a device that takes nothing more ends the write with what it took', async () => {
  const script = Array.from(
    { length: 30 },
    (_, i) => ({ on: 'write', nthCall: i + 1, does: 'short', bytes: 0 }) as const,
  );
  const first = { on: 'write', nthCall: 0, does: 'short', bytes: 512 } as const;
  const target = createFaultyTarget({ sizeBytes, script: [first, ...script] });
  await assert.rejects(target.write(Buffer.alloc(2048), 4096), {
    code: 'device_short_write',
    kind: 'device',
    facts: { device: '/dev/faulty', operation: 'writing', offset_bytes: 4608, length_bytes: 1536, done_bytes: 512 },
  });
});

test('F60 each errno becomes its code, with the offset at which it happened', async () => {
  const codes = {
    EIO: 'device_io',
    ENOSPC: 'device_full',
    ENODEV: 'device_vanished',
    ENXIO: 'device_vanished',
    ENOMEDIUM: 'device_vanished',
    EROFS: 'permission',
    EWHATEVER: 'device_io',
  };
  for (const [errno, code] of Object.entries(codes)) {
    const script = [{ on: 'write', offsetBytes: 9000, does: 'fail', errno }] as const;
    const target = createFaultyTarget({ sizeBytes, script });
    await assert.rejects(
      target.write(Buffer.alloc(4096), 8192),
      (error: { code: string; facts: Record<string, unknown> }) => {
        assert.equal(error.code, code);
        assert.equal(error.facts['offset_bytes'], 9000);
        assert.equal(error.facts['errno'], errno);
        return true;
      },
    );
  }
});

test('F60 an error on reading has the offset too, and a short read is finished', async () => {
  const target = createFaultyTarget({
    sizeBytes,
    script: [
      { on: 'read', nthCall: 0, does: 'short', bytes: 3 },
      { on: 'read', offsetBytes: 40_000, does: 'fail', errno: 'EIO' },
    ],
  });
  assert.ok((await target.read(100, 50)).equals(target.contents.subarray(100, 150)));
  await assert.rejects(target.read(39_000, 4096), { code: 'device_io', message: /reading .* at byte 40000/ });
});

test('F60 after a failed flush every flush fails: the kernel would claim success the second time', async () => {
  const target = createFaultyTarget({ sizeBytes, script: [{ on: 'sync', nthCall: 0, does: 'fail', errno: 'EIO' }] });
  await target.write(Buffer.alloc(512), 8192);
  await assert.rejects(target.flush(), { code: 'device_io', message: /flushing 512 bytes at byte 8192/ });
  await assert.rejects(target.flush(), { code: 'device_io' });
  assert.equal(target.calls.filter((call) => call === 'sync').length, 0);
});

test('F60 after a failed write no flush claims success', async () => {
  const script = [{ on: 'write', nthCall: 0, does: 'fail', errno: 'EIO' }] as const;
  const target = createFaultyTarget({ sizeBytes, script });
  await assert.rejects(target.write(Buffer.alloc(512), 0), { code: 'device_io' });
  await assert.rejects(target.flush(), { code: 'device_io' });
});

test('an interrupted call is made again', async () => {
  const script = [{ on: 'write', nthCall: 0, does: 'fail', errno: 'EINTR' }] as const;
  const target = createFaultyTarget({ sizeBytes, script });
  await target.write(Buffer.alloc(512, 'x'), 0);
  assert.equal(target.contents.toString('latin1', 0, 2), 'xx');
});

test('nothing is written or read past the end', async () => {
  const target = createFaultyTarget({ sizeBytes });
  await assert.rejects(target.write(Buffer.alloc(512), sizeBytes - 256), { code: 'device_full' });
  await assert.rejects(target.read(sizeBytes - 256, 512), { code: 'device_full' });
  assert.equal(target.calls.length, 0);
});
