import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WriteBack } from '../../../../agent/provision/steps/write-back.ts';

function controlled() {
  const flushes: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const writeBack = new WriteBack({
    flush: () => new Promise((resolve, reject) => flushes.push({ resolve, reject })),
    startBytes: 64,
    limitBytes: 128,
  });
  return { writeBack, flushes };
}

const isSettled = async (promise: Promise<unknown>): Promise<boolean> =>
  await Promise.race([
    promise.then(
      () => true,
      () => true,
    ),
    new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
  ]);

test('a flush starts at 64, writing goes on beside it, and waits when more than 128 are not on the medium', async () => {
  const { writeBack, flushes } = controlled();
  await writeBack.wrote(63);
  assert.equal(flushes.length, 0);
  await writeBack.wrote(1);
  assert.equal(flushes.length, 1);
  await writeBack.wrote(64);
  assert.equal(flushes.length, 1);
  const waiting = writeBack.wrote(1);
  assert.equal(await isSettled(waiting), false);
  flushes[0]?.resolve();
  await waiting;
  assert.equal(writeBack.flushedBytes, 64);
});

test('a failed flush ends the writing', async () => {
  const { writeBack, flushes } = controlled();
  await writeBack.wrote(100);
  const waiting = writeBack.wrote(100);
  flushes[0]?.reject(new Error('EIO'));
  await assert.rejects(waiting, /EIO/);
  await assert.rejects(writeBack.wrote(1), /EIO/);
  await assert.rejects(writeBack.settle(), /EIO/);
});

test('disposing waits for the flush under way, and leaves its failure to the first error', async () => {
  const { writeBack, flushes } = controlled();
  await writeBack.wrote(100);
  const disposing = writeBack[Symbol.asyncDispose]();
  assert.equal(await isSettled(disposing), false);
  flushes[0]?.reject(new Error('EIO'));
  await disposing;
});
