import assert from 'node:assert/strict';
import { readdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, it } from 'node:test';
import { extractLayer } from '../../../agent/layer/extract-layer.ts';
import { loadNative } from '../../../agent/native/load-native.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { buildTar } from '../../builders/tar-builder.ts';
import { Resources } from '../../resources.ts';
import { Arena } from './arena.ts';

let arena: Arena;
before(async () => {
  arena = await Arena.open();
  loadNative();
});
after(async () => {
  await arena[Symbol.asyncDispose]();
});

const openFiles = (): number => readdirSync('/proc/self/fd').length;

async function rejection(promise: Promise<unknown>): Promise<ProvisionError> {
  const error = await promise.then(
    () => assert.fail('it should fail'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ProvisionError, String(error));
  return error;
}

async function smallFilesystem(resources: Resources, more: string[] = []): Promise<string> {
  const file = resources.sparseFile(16 * 1024 ** 2);
  await runCommand('mkfs.ext4', ['-q', '-F', '-b', '4096', ...more, file]);
  return await resources.mount(await resources.loop(file));
}

it('a full root filesystem: root_full names the entry', async () => {
  await using resources = new Resources();
  const root = await smallFilesystem(resources);
  const layer = buildTar([
    { name: 'usr/small', data: 'x' },
    { name: 'usr/large', data: Buffer.alloc(40 * 1024 ** 2) },
    { name: 'usr/never', data: 'x' },
  ]);
  const signal = new AbortController().signal;
  const before = openFiles();
  const error = await rejection(extractLayer(Readable.from([layer]), { root, label: 'layer 2 (sha256:aa)', signal }));
  assert.equal(error.code, 'root_full');
  assert.match(error.message, /layer 2 \(sha256:aa\).*usr\/large/);
  assert.equal(error.facts['errno'], 'ENOSPC');
  assert.equal(openFiles(), before);
});

it('no inodes left is a full root too', async () => {
  await using resources = new Resources();
  const root = await smallFilesystem(resources, ['-N', '64']);
  const layer = buildTar(Array.from({ length: 100 }, (_, index) => ({ name: `file${index}` })));
  const signal = new AbortController().signal;
  const error = await rejection(extractLayer(Readable.from([layer]), { root, label: 'layer 2', signal }));
  assert.equal(error.code, 'root_full');
  assert.match(error.message, /the entry file\d+/);
});

it('an extended attribute that does not fit is the entry, not a full root', async () => {
  await using resources = new Resources();
  const root = await smallFilesystem(resources);
  const pax = [['SCHILY.xattr.user.big', Buffer.alloc(30_000, 1)]] as const;
  const signal = new AbortController().signal;
  const tar = Readable.from([buildTar([{ name: 'heavy', pax }])]);
  const error = await rejection(extractLayer(tar, { root, label: 'layer 1', signal }));
  assert.equal(error.code, 'layer_entry_invalid');
  assert.match(error.message, /heavy/);
  assert.ok(statfsSync(root).bavail > 100);
});

it('a root filesystem that became read-only is a device error', async () => {
  await using resources = new Resources();
  const root = await smallFilesystem(resources);
  await runCommand('mount', ['-o', 'remount,ro', root]);
  const signal = new AbortController().signal;
  const tar = Readable.from([buildTar([{ name: 'some/file' }])]);
  const error = await rejection(extractLayer(tar, { root, label: 'layer 1', signal }));
  assert.equal(error.code, 'device_io');
  assert.equal(error.facts['errno'], 'EROFS');
  assert.match(error.message, /some\/file/);
});

it('a layer that ends too early is stream_truncated, wherever inside an entry it ends', async () => {
  const whole = buildTar(
    [
      { name: 'first', data: 'x'.repeat(700) },
      { pax: [['path', 'second']], data: 'y'.repeat(20) },
    ],
    { endMarker: false },
  );
  const first = 512 + 1024;
  // The archive is complete between entries, and where only padding is cut off.
  const isComplete = (length: number): boolean =>
    length === 0 || (length >= 512 + 700 && length <= first) || length >= whole.length - 492;
  for (let length = 0; length <= whole.length; length += length % 512 < 500 ? 31 : 1) {
    const one = arena.newCase();
    if (isComplete(length)) {
      const [result] = await one.extract([whole.subarray(0, length)]);
      assert.match(result?.warnings.join() ?? '', /no end marker/, `at ${length}`);
      continue;
    }
    const error = await rejection(one.extract([whole.subarray(0, length)]));
    assert.equal(error.code, 'stream_truncated', `at ${length}`);
    assert.equal(error.facts['offset_bytes'], length);
  }
});

it('an aborted signal ends the extraction at once, also when the stream stands still', async () => {
  const one = arena.newCase();
  const controller = new AbortController();
  const start = buildTar([{ name: 'first', data: 'x'.repeat(5_000_000) }], { endMarker: false });
  const tar = new Readable({ read: () => undefined });
  tar.push(start);
  const before = openFiles();
  const reason = new ProvisionError('aborted', 'the operator pressed ^C');
  let written = 0;
  const running = extractLayer(tar, {
    root: one.root,
    label: 'layer 1',
    signal: controller.signal,
    afterWrite: (total) => {
      written = total;
      controller.abort(reason);
    },
  });
  assert.equal(await rejection(running), reason);
  assert.equal(written, 5_000_000);
  assert.equal(openFiles(), before);
  assert.ok(tar.destroyed);
});

it('an error of the stream comes through as it is', async () => {
  const one = arena.newCase();
  const cause = new ProvisionError('digest_mismatch', 'layer 1 was altered');
  const tar = Readable.from(
    (async function* () {
      yield buildTar([{ name: 'f', data: 'x' }]).subarray(0, 700);
      throw cause;
    })(),
  );
  const signal = new AbortController().signal;
  assert.equal(await rejection(extractLayer(tar, { root: one.root, label: 'layer 1', signal })), cause);
});

it('a failing write-back ends the extraction', async () => {
  const one = arena.newCase();
  const cause = new ProvisionError('device_io', 'the disk failed');
  const afterWrite = async (): Promise<void> => {
    throw cause;
  };
  const layer = buildTar([{ name: 'f', data: Buffer.alloc(9_000_000) }]);
  assert.equal(await rejection(one.extract([layer], { afterWrite })), cause);
});

it('afterWrite is told running totals and its promise holds the next write back', async () => {
  const one = arena.newCase();
  const totals: number[] = [];
  let isWaiting = false;
  const afterWrite = async (total: number): Promise<void> => {
    assert.equal(isWaiting, false);
    isWaiting = true;
    totals.push(total);
    await new Promise((resolve) => setImmediate(resolve));
    isWaiting = false;
  };
  const layer = buildTar(
    Array.from({ length: 40 }, (_, index) => ({ name: `f${index}`, data: Buffer.alloc(1_000_000) })),
  );
  await one.extract([layer], { afterWrite });
  assert.ok(totals.length > 3);
  assert.deepEqual(
    totals,
    totals.toSorted((left, right) => left - right),
  );
  assert.equal(totals.at(-1), 40_000_000);
});

it('the event loop goes on while a layer is extracted', async () => {
  const one = arena.newCase();
  const entries = Array.from({ length: 20_000 }, (_, index) => ({
    name: `d${index % 50}/f${index}`,
    data: `${index}`,
  }));
  const layer = buildTar(entries);
  let turns = 0;
  let isRunning = true;
  const count = (): void => {
    turns += 1;
    if (isRunning) setTimeout(count, 1);
  };
  count();
  await one.extract([layer]).finally(() => {
    isRunning = false;
  });
  assert.ok(readdirSync(join(one.root, 'd0')).length === 400);
  assert.ok(turns > 20, `only ${turns} turns of a timer`);
});
