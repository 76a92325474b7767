import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readDisk } from '../../../agent/hardware/read-disk.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { removeLeftovers } from '../../../installer/remove-leftovers.ts';
import { Resources, waitFor } from '../../resources.ts';

const mib = 1024 * 1024;
const { signal } = new AbortController();
/** A process that is no more. */
const killed = spawnSync('true').pid;

/** What a process has open now. */
function openFiles(pid: number | undefined): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((fd) => {
    try {
      return [readlinkSync(join(folder, fd))];
    } catch {
      // Closed meanwhile: a library that was being loaded.
      return [];
    }
  });
}

async function filesystemFile(resources: Resources): Promise<string> {
  const file = resources.sparseFile(64 * mib);
  await runCommand('mkfs.ext4', ['-q', file]);
  return file;
}

test('F61 what a killed installation has left goes: mounts below mounts, loop devices, files; nothing else does', async () => {
  await using resources = new Resources();
  const [temp, memory] = [resources.tempDir(), resources.tempDir()];
  const disk = await filesystemFile(resources);
  const root = join(temp, `durantic-root-${killed}-AbCdEf`);
  mkdirSync(root);
  await runCommand('mount', ['-o', 'loop', disk, root]);
  mkdirSync(join(root, 'boot'));
  await runCommand('mount', ['-t', 'tmpfs', 'none', join(root, 'boot')]);
  // What a look for identities has left: its loop device goes with the mount.
  const other = await resources.loop(await filesystemFile(resources));
  const look = join(temp, `durantic-look-${killed}-AbCdEf`);
  mkdirSync(look);
  await runCommand('mount', ['-t', 'ext4', '-o', 'loop,ro,noload', other, look]);
  const shadow = join(memory, `durantic-shadow-${killed}-123456`);
  mkdirSync(shadow);
  writeFileSync(join(shadow, 'disk'), Buffer.alloc(mib));
  const { stdout } = await runCommand('losetup', ['--find', '--show', join(shadow, 'disk')]);
  for (const name of ['durantic-0', 'somebody']) mkdirSync(join(temp, name));

  const said: string[] = [];
  await removeLeftovers((text) => said.push(text), signal, { folders: [temp, memory, join(temp, 'none')] });

  assert.match(said.join(), /was interrupted; what it had left was removed \(.*durantic-root-\d+-AbCdEf/);
  assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), /durantic-root-\d+-AbCdEf/);
  assert.deepEqual([readdirSync(temp), readdirSync(memory)], [['durantic-0', 'somebody'], []]);
  const loops = await runCommand('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE']);
  assert.ok(!loops.stdout.includes(`durantic-shadow-${killed}-123456`), `${stdout.trim()} is free`);
  assert.deepEqual((await readDisk(other)).users, [], 'the disk that was looked at is free');
});

test('what is still held is waited for, then named with what to do, and the installer goes on', async () => {
  await using resources = new Resources();
  const temp = resources.tempDir();
  const root = join(temp, `durantic-root-${killed}-held`);
  mkdirSync(root);
  await runCommand('mount', ['-t', 'tmpfs', 'none', root]);
  resources.defer('unmount', async () => void (await runCommand('umount', [root])));
  writeFileSync(join(root, 'file'), '');
  {
    await using held = new Resources();
    const holder = held.spawn('tail', ['-f', join(root, 'file')]);
    await waitFor('the holder', () => openFiles(holder.pid).includes(join(root, 'file')));
    const said: string[] = [];
    await removeLeftovers((text) => said.push(text), signal, { folders: [temp], patienceMs: 300 });
    assert.match(said.join(), /cannot be removed: .*busy.*Restart the machine/s);
    assert.ok(existsSync(join(root, 'file')), 'nothing below a mount is deleted');
  }
});

test('what another process of this program works with stays, until that is gone', async () => {
  await using resources = new Resources();
  const temp = resources.tempDir();
  const module = JSON.stringify(import.meta.resolve('../../../core/base/work-folder.ts'));
  const program = `import { makeWorkFolder } from ${module}; console.log(makeWorkFolder('root', ${JSON.stringify(temp)}));`;
  const keep = `${program} setInterval(() => undefined, 1000);`;
  const said: string[] = [];
  const remove = async (): Promise<void> =>
    await removeLeftovers((text) => said.push(text), signal, { folders: [temp] });
  let folder = '';
  {
    await using busy = new Resources();
    const other = busy.spawn(process.execPath, ['--input-type=module', '--eval', keep]);
    await waitFor('its folder', () => readdirSync(temp).length === 1, { timeoutMs: 10_000 });
    [folder = ''] = readdirSync(temp);
    assert.match(folder, new RegExp(`^durantic-root-${other.pid}-`));
    await remove();
    assert.deepEqual([readdirSync(temp), said], [[folder], []]);
  }
  await remove();
  assert.deepEqual(readdirSync(temp), []);
  assert.match(said.join(), new RegExp(folder));
});
