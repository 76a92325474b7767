import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { wipeDisk } from '../../../agent/disk/wipe-disk.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { Resources } from '../../resources.ts';
import { ctx } from './install-layer-zero.ts';
import { makeLayerZero } from './layer-zero.ts';

const mib = 1024 ** 2;

/** The command as a user starts it, without a terminal. */
async function durantic(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const main = new URL('../../../cli/main.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stdout, stderr };
}

test('durantic wipe takes a disk out of use and says what it did', async () => {
  await using resources = new Resources();
  const { file } = await makeLayerZero(resources);
  const device = await resources.loop(file);
  const { code, stdout, stderr } = await durantic('wipe', '--disk', device, '--yes');
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^overwrote \d+ bytes of \/dev\/loop\d+ with zeros/);
  assert.match(stdout, /removed \d+ traces of earlier use: gpt, gpt backup, ext/);
  assert.equal((await runCommand('wipefs', ['-n', device])).stdout, '');
});

test('durantic wipe --json prints one line that lists what was removed, also for a plain file', async () => {
  await using resources = new Resources();
  const { file, rootOffsetBytes } = await makeLayerZero(resources);
  const { code, stdout } = await durantic('wipe', '--disk', file, '--yes', '--json');
  assert.equal(code, 0);
  assert.equal(stdout.trim().split('\n').length, 1);
  const report = JSON.parse(stdout);
  assert.equal(report.path, file);
  assert.deepEqual(
    report.removed.filter(({ name }: { name: string }) => name === 'ext'),
    [{ name: 'ext', offsetBytes: rootOffsetBytes + 1080, where: 'old partition 3 (gpt)' }],
  );
  assert.equal((await runCommand('wipefs', ['-n', file])).stdout, '');
  assert.equal((await runCommand('losetup', ['--associated', file])).stdout, '');
});

test('durantic wipe without --yes and without a terminal refuses and touches nothing', async () => {
  await using resources = new Resources();
  const { file, bytes } = await makeLayerZero(resources);
  const { code, stderr } = await durantic('wipe', '--disk', file);
  assert.equal(code, 2);
  assert.match(stderr, /--yes.*\[confirmation_required\]/);
  assert.ok((await readFile(file)).equals(bytes));
});

test('durantic wipe of a mounted disk, a partition and a missing disk: one sentence and the right exit code', async () => {
  await using resources = new Resources();
  const device = await resources.loop(resources.sparseFile(16 * mib));
  await runCommand('mkfs.ext4', ['-q', device]);
  const folder = await resources.mount(device);
  const busy = await durantic('wipe', '--disk', device, '--yes');
  assert.deepEqual(
    [busy.code, busy.stderr],
    [3, `durantic: ${device} is in use: ${device} is mounted at ${folder} [disk_busy]\n`],
  );
  const missing = await durantic('wipe', '--disk', '/dev/nothing-here', '--yes');
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /^durantic: .*\/dev\/nothing-here \[target_not_found\]\n$/);
});

test('a wipe that is not confirmed changes nothing, and the question knows the disk', async () => {
  await using resources = new Resources();
  const { file, bytes } = await makeLayerZero(resources);
  const asked: number[] = [];
  const confirm = async ({ sizeBytes }: { sizeBytes: number }): Promise<boolean> => {
    asked.push(sizeBytes);
    return false;
  };
  await assert.rejects(wipeDisk({ ...ctx, path: file, confirm }), { code: 'aborted', diskState: 'untouched' });
  assert.deepEqual(asked, [bytes.length]);
  assert.ok((await readFile(file)).equals(bytes));
});
