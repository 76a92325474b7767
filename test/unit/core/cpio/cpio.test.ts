import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../../core/base/run-command.ts';
import { type CpioEntry, cpioChunks, withParents, writeCpio } from '../../../../core/cpio/cpio.ts';
import { Resources } from '../../../resources.ts';

test('an initramfs archive unpacks to what was put in', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const archive = join(dir, 'a.cpio');
  writeCpio(archive, [
    { path: 'bin', kind: 'directory' },
    { path: 'bin/odd', kind: 'file', isExecutable: true, source: Buffer.from('12345') },
    { path: 'console', kind: 'character-device', major: 5, minor: 1 },
    { path: 'link', kind: 'symlink', target: 'bin/odd' },
    { path: 'root', kind: 'directory', mode: 0o700 },
  ]);
  const input = readFileSync(archive);
  const list = (await runCommand('busybox', ['cpio', '-tv'], { input })).stdout.replaceAll(/ +/g, ' ').split('\n');
  assert.match(list[0] ?? '', /^drwxr-xr-x .* bin$/);
  assert.match(list[1] ?? '', /^-rwxr-xr-x .* 5 .* bin\/odd$/);
  assert.match(list[2] ?? '', /^crw------- .* console$/);
  assert.match(list[3] ?? '', /^lrwxrwxrwx .* link -> bin\/odd$/);
  assert.match(list[4] ?? '', /^drwx------ .* root$/);
  await runCommand('busybox', ['cpio', '-i', '-d', 'bin*', 'link'], { input, cwd: dir });
  assert.equal(readFileSync(join(dir, 'link'), 'utf8'), '12345');
});

test('a device node has its numbers in the fields of the format (rdev: the 10th and 11th)', () => {
  const [header] = cpioChunks([{ path: 'dev/console', kind: 'character-device', major: 5, minor: 1 }]);
  const text = Buffer.from(header ?? []).toString('latin1');
  assert.deepEqual([text.slice(6 + 9 * 8, 6 + 10 * 8), text.slice(6 + 10 * 8, 6 + 11 * 8)], ['00000005', '00000001']);
});

test('equal entries give equal bytes, whenever they are written', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const entries: CpioEntry[] = [{ path: 'a', kind: 'file', source: Buffer.from('x') }];
  const bytes = Buffer.concat([...cpioChunks(entries)]);
  writeCpio(join(dir, 'a.cpio'), entries);
  assert.deepEqual(readFileSync(join(dir, 'a.cpio')), bytes);
  assert.equal(bytes.length % 4, 0);
});

test('every folder above an entry is there once, before it, and keeps the mode that was asked for', () => {
  const entries = withParents([
    { path: 'a/b/c', kind: 'symlink', target: 'x' },
    { path: 'a', kind: 'directory', mode: 0o700 },
    { path: 'a-b', kind: 'directory' },
  ]);
  assert.deepEqual(entries, [
    { path: 'a', kind: 'directory', mode: 0o700 },
    { path: 'a-b', kind: 'directory' },
    { path: 'a/b', kind: 'directory' },
    { path: 'a/b/c', kind: 'symlink', target: 'x' },
  ]);
});
