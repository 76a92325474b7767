import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { leftoverName, removeLeftovers } from '../../../installer/remove-leftovers.ts';
import { Resources, waitFor } from '../../resources.ts';

const repo = join(import.meta.dirname, '../../..');
const mib = 1024 * 1024;
const { signal } = new AbortController();

test('F61 what a killed installation has left goes: mounts below mounts, loop devices, files; nothing else does', async () => {
  await using resources = new Resources();
  const [temp, memory] = [resources.tempDir(), resources.tempDir()];
  const disk = resources.sparseFile(64 * mib);
  await runCommand('mkfs.ext4', ['-q', disk]);
  const root = join(temp, 'durantic-root-AbCdEf');
  mkdirSync(root);
  await runCommand('mount', ['-o', 'loop', disk, root]);
  mkdirSync(join(root, 'boot'));
  await runCommand('mount', ['-t', 'tmpfs', 'none', join(root, 'boot')]);
  const shadow = join(memory, 'durantic-shadow-123456');
  mkdirSync(shadow);
  writeFileSync(join(shadow, 'disk'), Buffer.alloc(mib));
  const { stdout } = await runCommand('losetup', ['--find', '--show', join(shadow, 'disk')]);
  for (const other of ['durantic-0', 'somebody']) mkdirSync(join(temp, other));

  const said: string[] = [];
  await removeLeftovers((text) => said.push(text), signal, { folders: [temp, memory, join(temp, 'none')] });

  assert.match(said.join(), /was interrupted; what it had left was removed \(.*durantic-root-AbCdEf/);
  assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), /durantic-root-AbCdEf/);
  assert.deepEqual([readdirSync(temp), readdirSync(memory)], [['durantic-0', 'somebody'], []]);
  const loops = await runCommand('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE']);
  assert.ok(!loops.stdout.includes('durantic-shadow-123456'), `${stdout.trim()} is free`);
});

test('what is still held is waited for, then named with what to do, and the installer goes on', async () => {
  await using resources = new Resources();
  const temp = resources.tempDir();
  const root = join(temp, 'durantic-root-held');
  mkdirSync(root);
  await runCommand('mount', ['-t', 'tmpfs', 'none', root]);
  resources.defer('unmount', async () => void (await runCommand('umount', [root])));
  writeFileSync(join(root, 'file'), '');
  {
    await using held = new Resources();
    const holder = held.spawn('tail', ['-f', join(root, 'file')]);
    await waitFor('the holder', () => readdirSync(`/proc/${holder.pid}/fd`).length > 3, { timeoutMs: 10_000 });
    const said: string[] = [];
    await removeLeftovers((text) => said.push(text), signal, { folders: [temp], patienceMs: 300 });
    assert.match(said.join(), /cannot be removed: .*busy.*Restart the machine/s);
    assert.ok(existsSync(join(root, 'file')), 'nothing below a mount is deleted');
  }
});

test('every folder that an installation makes for itself is known by its name', () => {
  const names = new Set<string>();
  for (const part of ['agent', 'installer', 'core']) {
    for (const file of readdirSync(join(repo, part), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts')) continue;
      const text = readFileSync(join(repo, part, file), 'utf8');
      if (!text.includes('mkdtemp')) continue;
      for (const [, name = ''] of text.matchAll(/'(durantic-[a-z]+-)'/g)) names.add(name);
    }
  }
  assert.ok(names.size >= 7, [...names].join(' '));
  for (const name of names) assert.match(name, leftoverName);
});
