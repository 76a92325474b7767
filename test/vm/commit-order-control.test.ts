import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../resources.ts';
import { checkReplay, commitOrder, everyPoint } from './commit-order.ts';
import { testGuest } from './guest-initramfs.ts';
import { startVm } from './qemu.ts';
import { replayInGuest } from './replay-log.ts';
import { readWriteLog } from './write-log.ts';

const diskBytes = 16 * 1024 * 1024;
const partitions = 2;

/** What the guest does to disk `$D`, copied from the finished disk `$S` in blocks of 64 KiB; every step is flushed. */
const installs = {
  right: 'erase; put_body; put_tail; put_sectors 1 2047; put_sectors 0 1',
  'LBA 0 before the tables': 'erase; put_sectors 0 1; put_body; put_tail; put_sectors 1 2047',
  'LBA 0 together with the table': 'erase; put_body; put_tail; put_sectors 0 2048',
  'content after LBA 0': 'erase; put_tail; put_sectors 1 2047; put_sectors 0 1; put_body',
  'no erasure': 'put_body; put_tail; put_sectors 1 2047; put_sectors 0 1',
} as const;

const functions = `
  copy() { dd if=$1 of=$D bs=$2 skip=$3 seek=$4 count=$5 conv=notrunc,fsync 2>/dev/null; }
  erase() { copy /dev/zero 65536 0 0 16; copy /dev/zero 65536 0 240 16; }
  put_body() { copy $S 65536 16 16 224; }
  put_tail() { copy $S 65536 240 240 16; }
  put_sectors() { copy $S 512 $1 $1 $2; }`;

test('the judge of commit orders accepts the right one and refuses each wrong one', async () => {
  await using resources = new Resources();
  const names = Object.keys(installs) as (keyof typeof installs)[];
  const disks = names.map((_, index) => ({
    file: resources.sparseFile(diskBytes),
    serial: `INSTALL${index}`,
    writeLogFile: `${resources.tempDir()}/log`,
  }));
  const lines = names.map((name, index) => `D=$(disk_of INSTALL${index})\n${installs[name]}`);
  const vm = await startVm(resources, {
    name: 'control-install',
    firmware: 'seabios',
    network: null,
    kernel: await testGuest({ tools: ['sgdisk'] }),
    disks,
    fwCfg: {
      script: `${functions}
        S=/finished; truncate -s ${diskBytes} $S
        sgdisk -n 1:2048:4095 -n 2:4096:0 $S
        dd if=/dev/urandom of=$S bs=65536 seek=16 count=224 conv=notrunc 2>/dev/null
        ${lines.join('\n')}
        prove install '{}'`,
    },
    extraArgs: ['-no-reboot'],
  });
  await vm.waitForProof('install', { timeoutMs: 180_000 });
  await vm.waitForPoweroff({ timeoutMs: 60_000 });

  const logs = disks.map((disk) => readWriteLog(disk.writeLogFile, diskBytes));
  const judge = (name: keyof typeof installs) => () => commitOrder(log(name));
  const log = (name: keyof typeof installs) => logs[names.indexOf(name)] ?? assert.fail();
  const order = commitOrder(log('right'));
  assert.throws(judge('LBA 0 before the tables'), /changes the disk after LBA 0/);
  assert.throws(judge('LBA 0 together with the table'), /changes LBA 0 together with some of the \d+ bytes/);
  assert.throws(judge('content after LBA 0'), /changes the disk after LBA 0/);
  assert.throws(judge('no erasure'), /before the zeros of LBA 0 .* were flushed/);

  // What the guest's kernel sees, judged without the log's order: the second install shows that a replay finds it too.
  const points = everyPoint(log('right'));
  const wrong = log('LBA 0 before the tables');
  const replays = [
    { logFile: disks[0]?.writeLogFile ?? '', diskFile: resources.sparseFile(diskBytes), points },
    { logFile: disks[1]?.writeLogFile ?? '', diskFile: resources.sparseFile(diskBytes), points: everyPoint(wrong) },
  ];
  const [seen, seenWrong] = await replayInGuest(resources, replays, { timeoutMs: 180_000 });
  const counts = checkReplay(seen ?? new Map(), { order, partitions, blankFrom: 0 });
  assert.equal(counts.before + counts.after, points.length);
  const commitIndex = wrong.entries.findIndex((entry) => entry.start.subarray(0, 512).some((byte) => byte !== 0));
  const expected = { order: { ...order, commitIndex }, partitions, blankFrom: 0 };
  assert.throws(() => checkReplay(seenWrong ?? new Map(), expected), /sees 0 partitions, not 2/);
  console.log(`${points.length} points: ${counts.before} before LBA 0, ${counts.after} after it`);
});
