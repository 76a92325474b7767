import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { runCommand } from '../../core/base/run-command.ts';
import { Resources } from '../resources.ts';
import { type CommitOrder, checkReplay, commitOrder, everyPoint } from './commit-order.ts';
import { installInGuest } from './install-in-guest.ts';
import { checkTables, partitionCount } from './installed-guest.ts';
import { startVm } from './qemu.ts';
import type { VmDisk } from './qemu-arguments.ts';
import { replayInGuest, replayOnHost } from './replay-log.ts';
import { readWriteLog, type WriteLog } from './write-log.ts';

const diskBytes = 4 * 1024 ** 3;

export interface InstalledImage {
  /** As a guest reaches it. */
  readonly reference: string;
  readonly userData: string;
  /** Boots the disk under OVMF; throws unless the system on it says that it is all there. Gives the seconds it took. */
  readonly boot: (resources: Resources, disk: Pick<VmDisk, 'file' | 'format'>) => Promise<number>;
}

interface Installed {
  readonly disk: string;
  /** The disk before the installation, with an earlier system's table and filesystem on it. */
  readonly usedDisk: string;
  readonly logFile: string;
  readonly log: WriteLog;
  readonly order: CommitOrder;
}

/**
 * Installs the image inside a guest onto a used disk whose writes are logged, then stops the disk at every single one of them
 * (as two subtests of `context`): a kernel sees no partition before the write of LBA 0, and firmware boots nothing.
 */
export async function proveCommitOrder(
  context: TestContext,
  resources: Resources,
  image: InstalledImage,
): Promise<void> {
  const installed = await install(resources, image);
  await context.test('no point before the write of LBA 0 has a partition, every one after it has all', async () => {
    await replayEveryFlush(installed);
  });
  await context.test('firmware boots nothing before the write of LBA 0, and a complete system after it', async () => {
    await bootPoints(installed, image);
  });
}

async function install(resources: Resources, { reference, userData }: InstalledImage): Promise<Installed> {
  const disk = resources.sparseFile(diskBytes);
  await makeUsedDisk(disk);
  const usedDisk = join(resources.tempDir(), 'used.raw');
  await runCommand('cp', ['--sparse=always', disk, usedDisk]);
  const logFile = join(resources.tempDir(), 'log');
  const { seconds } = await installInGuest(
    resources,
    { reference, userData, disk: { file: disk, writeLogFile: logFile } },
    { timeoutMs: 600_000 },
  );
  await checkTables(disk);
  const log = readWriteLog(logFile, diskBytes);
  console.log(`installed inside a guest in ${seconds} s: ${describeLog(log)}`);
  const order = commitOrder(log);
  console.log(`LBA 0 is entry ${order.commitIndex}; it rewrites ${order.unchangedBytes} unchanged bytes behind it`);
  return { disk, usedDisk, logFile, log, order };
}

async function replayEveryFlush({ disk, usedDisk, logFile, log, order }: Installed): Promise<void> {
  await using resources = new Resources();
  const points = everyPoint(log);
  const between = points.length - order.flushPoints.length;
  assert.ok(between >= 200, `only ${between} points lie between flushes`);
  const used = join(resources.tempDir(), 'used.raw');
  await runCommand('cp', ['--sparse=always', usedDisk, used]);
  const replays = [
    { logFile, diskFile: resources.sparseFile(diskBytes), points },
    { logFile, diskFile: used, points },
  ];
  const [blankSeen, usedSeen] = await replayInGuest(resources, replays, { timeoutMs: 600_000 });
  assert.ok(blankSeen !== undefined && usedSeen !== undefined);
  const partitions = await partitionCount(disk);
  const blank = checkReplay(blankSeen, { order, partitions, blankFrom: 0 });
  // On the used disk the old partitions are there until LBA 0 is zeroed: the guest's kernel does find what it can find.
  assert.equal(usedSeen.get(0), 3, 'the old table is seen at the start');
  const erased = checkReplay(usedSeen, { order, partitions, blankFrom: order.erasedAfter });
  const say = ({ before, after }: typeof blank): string => `${before} before LBA 0, ${after} after it`;
  console.log(`${points.length} points (${order.flushPoints.length} flushes, ${between} between)`);
  console.log(`blank disk: ${say(blank)}; used disk, from its erasure on: ${say(erased)}; ${partitions} partitions`);
}

async function bootPoints({ disk, logFile, log, order }: Installed, image: InstalledImage): Promise<void> {
  await using resources = new Resources();
  const file = resources.sparseFile(diskBytes);
  const { commitIndex } = order;
  const end = log.entries.length;
  let position = 0;
  const replayTo = async (point: number): Promise<void> => {
    await replayOnHost(logFile, file, position, point);
    position = point;
  };
  const refused = { middle: Math.floor(commitIndex / 2), 'tables without LBA 0': commitIndex };
  for (const [name, point] of Object.entries(refused)) {
    await replayTo(point);
    await refuseToBoot(resources, file, 'ovmf');
    console.log(`${name} (point ${point} of ${end}): OVMF finds nothing to boot`);
  }
  await refuseToBoot(resources, file, 'seabios');
  await replayTo(commitIndex + 1);
  const whole = join(resources.tempDir(), 'whole.raw');
  await runCommand('cp', ['--sparse=always', file, whole]);
  await replayOnHost(logFile, whole, commitIndex + 1, end);
  await runCommand('cmp', [whole, disk]);
  const overlay = await overlayOf(resources, file);
  const seconds = await image.boot(resources, overlay);
  console.log(
    `after LBA 0 (point ${commitIndex + 1} of ${end}): OVMF boots a complete system, ${seconds.toFixed(1)} s`,
  );
}

async function refuseToBoot(resources: Resources, file: string, firmware: 'ovmf' | 'seabios'): Promise<void> {
  const disks = [{ ...(await overlayOf(resources, file)), bootIndex: 0 }];
  const vm = await startVm(resources, { name: `refuse-${firmware}`, firmware, network: null, disks });
  await vm.waitForNothingToBoot({ timeoutMs: 180_000 });
  // The map that OVMF's shell prints: BLK is a disk, HD( a partition, FS a filesystem.
  if (firmware === 'ovmf') {
    assert.match(vm.console, /Mapping table\s+BLK0:/);
    assert.doesNotMatch(vm.console, /HD\(|FS0/);
  }
  await vm.quit();
}

/** A layer over the file that takes a guest's writes, so that the replay can go on with the file. */
async function overlayOf(resources: Resources, file: string): Promise<{ file: string; format: 'qcow2' }> {
  const overlay = join(resources.tempDir(), 'overlay.qcow2');
  await runCommand('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', file, '-F', 'raw', overlay]);
  return { file: overlay, format: 'qcow2' };
}

/** What a machine had before: a table of three partitions with filesystems, the backup table included. */
async function makeUsedDisk(file: string): Promise<void> {
  const partitions = ['-n', '1:2048:+16M', '-n', '2:0:+64M', '-n', '3:0:0'];
  await runCommand('sgdisk', [...partitions, file]);
  await runCommand('mkfs.ext4', ['-q', '-E', `offset=${17 * 1024 ** 2}`, file, '64M']);
}

function describeLog(log: WriteLog): string {
  const count = (kind: string): number => log.entries.filter((entry) => entry.kind === kind).length;
  const bytes = log.entries.reduce((sum, entry) => sum + (entry.kind === 'write' ? entry.lengthBytes : 0), 0);
  const mib = Math.round(bytes / 1024 ** 2);
  return `${count('write')} writes (${mib} MiB), ${count('discard')} discards, ${count('flush')} flushes`;
}
