import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { test } from 'node:test';
import { removeGrubOnce } from '../../../../agent/reentry/one-shot-grub.ts';
import { runCommand } from '../../../../core/base/run-command.ts';
import { changeFiles, withoutModes } from '../../../fakes/change-files.ts';
import { Resources } from '../../../resources.ts';
import { debian, system, unreachable } from './grub-fixture.ts';

test('on a file system without modes the private key is not written: refused, naming mount and option', async (t) => {
  await using resources = new Resources();
  const { prepare, path } = system(resources, debian);
  const written: string[] = [];
  await withoutModes(t);
  await changeFiles(
    t,
    'write',
    (original) =>
      async function write(this: FileHandle, ...args: never[]) {
        written.push(Buffer.from(args[0] as unknown as Uint8Array).toString('latin1'));
        return await Reflect.apply(original, this, args);
      },
  );
  await assert.rejects(prepare(), unreachable(/every user could read the machine's key on \/.*umask=0077/));
  assert.deepEqual(written, []);
  for (const gone of ['durantic-vmlinuz', 'durantic-state.img', 'custom.cfg']) assert.ok(!existsSync(path(gone)), gone);
});

const operators = "menuentry 'mine' { linux /vmlinuz }\n";
for (const [file, part] of [
  ['grubenv', 'next_entry='],
  ['custom.cfg', 'durantic-installer'],
] as const) {
  test(`a disk that fails while ${file} is written leaves it as it was`, async (t) => {
    await using resources = new Resources();
    const { prepare, path } = system(resources, debian, { 'boot/grub/custom.cfg': operators });
    await runCommand('grub-editenv', [path('grubenv'), 'create']);
    await runCommand('grub-editenv', [path('grubenv'), 'set', 'saved_entry=1>1']);
    const before = readFileSync(path('grubenv'), 'latin1');
    await changeFiles(
      t,
      'write',
      (original) =>
        async function write(this: FileHandle, ...args: never[]) {
          const isHit = Buffer.from(args[0] as unknown as Uint8Array).includes(part);
          if (isHit) throw Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO', syscall: 'write' });
          return await Reflect.apply(original, this, args);
        },
    );
    await assert.rejects(prepare(), { code: 'permission' });
    assert.equal(readFileSync(path('grubenv'), 'latin1'), before);
    assert.equal(readFileSync(path('custom.cfg'), 'utf8'), operators);
    assert.ok(!existsSync(path('custom.cfg.durantic-new')));
  });
}

test('grubenv keeps its inode, custom.cfg its mode and owner, and a replacement that was cut off is removed', async () => {
  await using resources = new Resources();
  const { prepare, path } = system(resources, debian, {
    'boot/grub/custom.cfg': operators,
    'boot/grub/custom.cfg.durantic-new': 'half',
  });
  await runCommand('grub-editenv', [path('grubenv'), 'create']);
  chmodSync(path('custom.cfg'), 0o640);
  await runCommand('chown', ['7:8', path('custom.cfg')]);
  const inode = statSync(path('grubenv')).ino;
  await prepare();
  assert.equal(statSync(path('grubenv')).ino, inode);
  const halves = ['custom.cfg.durantic-new', 'grubenv.durantic-new'];
  for (const half of halves) writeFileSync(path(half), 'half');
  await removeGrubOnce(path(''));
  for (const half of halves) assert.ok(!existsSync(path(half)), half);
  const { mode, uid, gid } = statSync(path('custom.cfg'));
  assert.deepEqual([mode & 0o7777, uid, gid], [0o640, 7, 8]);
  assert.equal(readFileSync(path('custom.cfg'), 'utf8'), operators);
});
