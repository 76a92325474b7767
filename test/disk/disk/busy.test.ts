import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { test } from 'node:test';
import { assertUsable } from '../../../agent/disk/assert-usable.ts';
import { eraseDisk } from '../../../agent/disk/erase-disk.ts';
import { detectGpt } from '../../../agent/disk/gpt.ts';
import { openTarget } from '../../../agent/disk/open-target.ts';
import { registerPartitions } from '../../../agent/disk/register-partitions.ts';
import { retryBusy } from '../../../agent/disk/retry-busy.ts';
import { stopUsers } from '../../../agent/disk/stop-users.ts';
import { whoHolds } from '../../../agent/disk/who-holds.ts';
import { wipeDisk } from '../../../agent/disk/wipe-disk.ts';
import { readDisk } from '../../../agent/hardware/read-disk.ts';
import type { ProvisionError } from '../../../core/base/errors.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { Resources, waitFor } from '../../resources.ts';
import { ctx } from './install-layer-zero.ts';
import { makeLayerZero } from './layer-zero.ts';

const mib = 1024 ** 2;

async function readerOf(path: string) {
  const handle = await open(path, 'r');
  const read = async (offsetBytes: number, lengthBytes: number): Promise<Buffer> => {
    const buffer = Buffer.alloc(lengthBytes);
    await handle.read(buffer, 0, lengthBytes, offsetBytes);
    return buffer;
  };
  return { read, [Symbol.asyncDispose]: () => handle.close() };
}

test('F30 a disk that another program has locked: tried again, then refused with its name', async () => {
  await using resources = new Resources();
  const device = await resources.loop(resources.sparseFile(16 * mib));
  const holder = resources.spawn('flock', ['--no-fork', '--exclusive', device, 'sleep', '600']);
  await waitFor(
    'the lock',
    async () => (await runCommand('flock', ['-n', device, 'true'], { okExitCodes: [0, 1] })).exitCode === 1,
  );
  await assert.rejects(openTarget(device, { ...ctx, busyAttempts: 3 }), {
    code: 'disk_busy',
    message: new RegExp(`locking ${device} is not possible, because the disk is held by .*\\(pid \\d+\\)`),
  });
  setTimeout(() => holder.kill(), 300);
  await using target = await openTarget(device, ctx);
  assert.equal(target.path, device);
});

test('F30 a plain file that is attached, or that somebody has locked, is refused: it could be attached any number of times', async () => {
  await using resources = new Resources();
  const file = resources.sparseFile(16 * mib);
  await resources.loop(file, { readOnly: true });
  const attached = { code: 'disk_busy', message: new RegExp(`^${file} is attached to /dev/loop\\d+ already$`) };
  await assert.rejects(openTarget(file, ctx), attached);
  const other = resources.sparseFile(16 * mib);
  const holder = resources.spawn('flock', ['--no-fork', '--exclusive', other, 'sleep', '600']);
  await waitFor(
    'the lock',
    async () => (await runCommand('flock', ['-n', other, 'true'], { okExitCodes: [0, 1] })).exitCode === 1,
  );
  await assert.rejects(openTarget(other, ctx), { code: 'disk_busy', message: new RegExp(`\\(pid ${holder.pid}\\)`) });
});

test('F30 while a disk is open nobody else gets the lock, mounts it or formats it', async () => {
  await using resources = new Resources();
  const device = await resources.loop(resources.sparseFile(32 * mib));
  await runCommand('mkfs.ext4', ['-q', device]);
  {
    await using target = await openTarget(device, ctx);
    assert.equal((await runCommand('flock', ['-n', device, 'true'], { okExitCodes: [0, 1] })).exitCode, 1);
    await assert.rejects(resources.mount(device), { code: 'tool_failed' });
    await target.releaseExclusive();
    assert.equal((await runCommand('flock', ['-n', device, 'true'], { okExitCodes: [0, 1] })).exitCode, 1);
  }
  await runCommand('flock', ['-n', device, 'true']);
});

test('F30 a partition that somebody has open is not forgotten: tried again, then refused with the name', async () => {
  await using resources = new Resources();
  const image = await makeLayerZero(resources);
  const device = await resources.loop(resources.sparseFile(64 * mib));
  await runCommand('addpart', [device, '1', '2048', '2048']);
  const handle = await open(`${device}p1`, 'r');
  const holder = resources.spawn('sleep', ['600'], { stdio: ['ignore', 'ignore', 'ignore', handle.fd] });
  await handle.close();
  await waitFor('the holder', async () => (await whoHolds(device)).length > 0);
  await using target = await openTarget(device, ctx);
  const seen: string[] = [];
  const log = { ...ctx.log, warn: (facts: { holders?: string[] }) => void seen.push(...(facts.holders ?? [])) };
  const gpt = detectGpt(image.bytes);
  // Partition 1 of the image lies at another place than the registered one, so that it has to be replaced.
  const moved = { ...gpt, partitions: gpt.partitions.map((each) => ({ ...each, lastLba: each.lastLba - 8 })) };
  const waiting = registerPartitions(target, moved, { ...ctx, log: log as unknown as typeof ctx.log });
  await waitFor('an attempt that names the holder', () => seen.some((name) => name.includes(`(pid ${holder.pid})`)));
  holder.kill();
  const paths = await waiting;
  assert.deepEqual(
    [...paths.values()],
    [1, 2, 3].map((number) => `${device}p${number}`),
  );
});

test('F30 what stays busy is an error that names the holder and keeps its cause', async () => {
  const busy = (): never => {
    throw Object.assign(new Error('EBUSY'), { code: 'EBUSY' });
  };
  const options = { path: '/dev/x', what: 're-reading the table of /dev/x', attempts: 2 };
  await assert.rejects(
    retryBusy(busy, { ...options, holders: async () => ['udevd (pid 7)'] }, ctx),
    (error: ProvisionError) => {
      assert.equal(error.code, 'disk_busy');
      assert.match(
        error.message,
        /re-reading the table of \/dev\/x is not possible, because the disk is held by udevd \(pid 7\)/,
      );
      assert.equal((error.cause as { code: string }).code, 'EBUSY');
      return true;
    },
  );
  let calls = 0;
  const other = (): never => {
    calls += 1;
    throw Object.assign(new Error('EIO'), { code: 'EIO' });
  };
  await assert.rejects(retryBusy(other, options, ctx), { code: 'EIO' });
  assert.equal(calls, 1);
});

test('F33 a mounted disk or partition is refused by name and left alone', async () => {
  await using resources = new Resources();
  const device = await resources.loop(resources.sparseFile(32 * mib));
  await runCommand('addpart', [device, '1', '2048', '40960']);
  await runCommand('mkfs.ext4', ['-q', `${device}p1`]);
  const folder = await resources.mount(`${device}p1`);
  await using reader = await readerOf(device);
  const message = new RegExp(`${device} is in use: ${device}p1 is mounted at ${folder}`);
  await assert.rejects(assertUsable(await readDisk(device), reader), { code: 'disk_busy', message });
  const confirm = (): never => assert.fail('asked about a disk that cannot be wiped');
  await assert.rejects(wipeDisk({ ...ctx, path: device, confirm }), { code: 'disk_busy', message });
  await assert.rejects(openTarget(device, { ...ctx, busyAttempts: 1 }), { code: 'disk_busy' });
});

test('F33 swap on the disk is stopped, and the disk is free then', async () => {
  await using resources = new Resources();
  const device = await resources.loop(resources.sparseFile(32 * mib));
  await runCommand('mkswap', [device]);
  await runCommand('swapon', [device]);
  resources.defer('swapoff', async () => {
    await runCommand('swapoff', [device], { okExitCodes: [0, 4, 255] });
  });
  await using reader = await readerOf(device);
  const users = await assertUsable(await readDisk(device), reader);
  assert.deepEqual(
    users.map(({ kind }) => kind),
    ['swap'],
  );
  const said = await stopUsers(await readDisk(device), { readAgain: () => readDisk(device) }, ctx);
  assert.deepEqual(said, [`stopped: ${device} (in use as swap)`]);
  assert.deepEqual(await assertUsable(await readDisk(device), { ...reader, mustBeIdle: true }), []);
  assert.doesNotMatch((await runCommand('cat', ['/proc/swaps'])).stdout, new RegExp(basename(device)));
});

test('a partition, a missing path, a folder and an empty file are no target', async () => {
  await using resources = new Resources();
  const device = await resources.loop(resources.sparseFile(16 * mib));
  await runCommand('addpart', [device, '1', '2048', '2048']);
  await using reader = await readerOf(device);
  await assert.rejects(assertUsable(await readDisk(`${device}p1`), reader), {
    code: 'disk_not_eligible',
    message: /partition/,
  });
  await assert.rejects(openTarget('/dev/does-not-exist', ctx), { code: 'target_not_found' });
  await assert.rejects(openTarget(resources.tempDir(), ctx), { code: 'target_not_found', message: /neither/ });
  await assert.rejects(openTarget(resources.sparseFile(0), ctx), { code: 'disk_not_eligible', message: /empty/ });
});

test('a read-only disk is refused', async () => {
  await using resources = new Resources();
  const device = await resources.loop(resources.sparseFile(16 * mib), { readOnly: true });
  await using reader = await readerOf(device);
  await assert.rejects(assertUsable(await readDisk(device), reader), {
    code: 'disk_not_eligible',
    message: /read-only/,
  });
  await assert.rejects(openTarget(device, ctx), { code: 'disk_not_eligible', message: /read-only/ });
});

test('a plain file is attached with the wanted sectors and detached again, with its partitions, also after a failure', async () => {
  await using resources = new Resources();
  const image = await makeLayerZero(resources, { sectorBytes: 4096 });
  const file = resources.sparseFile(64 * mib);
  const target = await openTarget(file, { ...ctx, sectorBytes: 4096 });
  assert.deepEqual([target.sectorBytes, target.sizeBytes, target.loopOf], [4096, 64 * mib, file]);
  const paths = await registerPartitions(target, detectGpt(image.bytes), ctx);
  assert.deepEqual([...paths.keys()], [1, 2, 3]);
  assert.equal((await readDisk(target.path)).partitions.length, 3);
  await target[Symbol.asyncDispose]();
  assert.equal((await readDisk(target.path)).partitions.length, 0);
  const attached = await runCommand('losetup', ['--associated', file]);
  assert.equal(attached.stdout, '');
});

for (const [name, magic, where] of [
  ['VMFS volume member', '0dd001c0', mib],
  ['VMFS', '5ef1ab2f', 2 * mib],
  ['GFS2', '0116197000000001', 65536],
  ['OCFS2', Buffer.from('OCFSV2').toString('hex'), 8192],
  ['GPFS', Buffer.from('NSD descriptor for /dev/sdb created by GPFS').toString('hex'), 1024],
] as const) {
  test(`F34 a disk with ${name}, whole or in a partition, is refused and not touched`, async () => {
    await using resources = new Resources();
    for (const startBytes of [0, 4 * mib]) {
      const file = resources.sparseFile(16 * mib);
      await using handle = await open(file, 'r+');
      if (startBytes > 0) await runCommand('sgdisk', ['-n', `1:${startBytes / 512}:+8M`, file]);
      const bytes = Buffer.from(magic, 'hex');
      await handle.write(bytes, 0, bytes.length, startBytes + where);
      const device = await resources.loop(file);
      const before = (await runCommand('sha256sum', ['-b', file])).stdout;
      await using reader = await readerOf(device);
      await assert.rejects(assertUsable(await readDisk(device), reader), {
        code: 'disk_shared_filesystem',
        message: new RegExp(startBytes === 0 ? `^${device} holds ${name}` : `^partition 1 of ${device} holds ${name}`),
      });
      await assert.rejects(wipeDisk({ ...ctx, path: device, confirm: async () => true }), {
        code: 'disk_shared_filesystem',
      });
      assert.equal((await runCommand('sha256sum', ['-b', file])).stdout, before);
    }
  });
}

test('F34 a partition type of a shared-disk filesystem is enough', async () => {
  await using resources = new Resources();
  const file = resources.sparseFile(16 * mib);
  await runCommand('sgdisk', ['-n', '1:2048:+8M', '-t', '1:37affc90-ef7d-4e96-91c3-2d7ae055b174', file]);
  await using target = await openTarget(file, ctx);
  const facts = await readDisk(target.path);
  await assert.rejects(assertUsable(facts, target), { code: 'disk_shared_filesystem', message: /GPFS/ });
  await eraseDisk(target, facts, ctx);
  assert.deepEqual(await assertUsable(facts, target), []);
});
