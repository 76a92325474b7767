import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import type { CpioEntry } from '../../../core/cpio/cpio.ts';
import { makeSquashfs } from '../../../initramfs/build/make-squashfs.ts';
import { secondStageFiles } from '../../../initramfs/build/second-stage-files.ts';
import { installerRoot } from '../../../scripts/build/installer/installer-root.ts';
import { distDir } from '../../../scripts/build/paths.ts';
import { Resources } from '../../resources.ts';

const { signal } = new AbortController();
const print = (line: string): void => console.log(line);

test('equal entries give a second stage of equal bytes, whatever the times and modes of their files', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const root = await installerRoot({ print, signal });
  const build = async (name: string, timeSec: number, order: 1 | -1): Promise<Buffer> => {
    const source = join(dir, `${name}.source`);
    writeFileSync(source, 'x'.repeat(300_000), { mode: timeSec % 2 === 0 ? 0o600 : 0o644 });
    utimesSync(source, timeSec, timeSec);
    const entries: CpioEntry[] = [
      { path: 'bin/program', kind: 'file', isExecutable: true, source },
      { path: 'bin/link', kind: 'symlink', target: 'program' },
      { path: 'share/text', kind: 'file', source: Buffer.from('text') },
    ];
    const file = join(dir, name);
    if (order < 0) entries.reverse();
    await makeSquashfs({ root: root.dir, entries, file, level: 3, blockBytes: 131_072, signal });
    return readFileSync(file);
  };
  const umask = process.umask(0o077);
  const first = await build('one', 1_000_000_000, 1);
  process.umask(umask);
  assert.ok(first.equals(await build('two', 1_500_000_001, -1)));

  const mounted = await resources.mount(await resources.loop(join(dir, 'one'), { readOnly: true }), {
    type: 'squashfs',
  });
  const { mode, uid, mtimeMs } = statSync(join(mounted, 'bin/program'));
  assert.deepEqual({ mode: mode & 0o7777, uid, mtimeMs }, { mode: 0o755, uid: 0, mtimeMs: 0 });
  assert.equal(statSync(join(mounted, 'bin')).mode & 0o7777, 0o755);
});

test('every program of the second stage starts with what is in it and nothing else', async () => {
  await using resources = new Resources();
  const root = await installerRoot({ print, signal });
  const entries = await secondStageFiles(root.dir, join(distDir, 'bundle'));
  const dir = resources.tempDir();
  for (const folder of ['usr', 'dev', 'proc', 'etc', 'tmp']) mkdirSync(join(dir, folder));
  const file = join(resources.tempDir(), 'stage2');
  const below = entries.map((entry) => ({ ...entry, path: entry.path.replace(/^usr\//, '') }));
  await makeSquashfs({ root: root.dir, entries: below, file, level: 1, blockBytes: 131_072, signal });
  const script = `
    set -e
    mount -t squashfs -o ro,loop "$1" "$2/usr"
    mount -t proc proc "$2/proc"
    for name in bin sbin lib lib64; do ln -s usr/$name "$2/$name"; done
    touch "$2/dev/null"; mount --bind /dev/null "$2/dev/null"
    exec chroot "$2" /usr/bin/busybox sh -c "$3"`;
  // 127: not there; 126: cannot be run; the loader's complaint names a library. What they make of --help is their own.
  const inside = `
    export PATH=/usr/sbin:/usr/bin
    for path in /usr/sbin/* /usr/bin/*; do
      case $(readlink -f "$path") in /usr/bin/busybox) [ -x "$path" ] || echo "$path: broken link"; continue ;; esac
      timeout 20 "$path" --help </dev/null >/tmp/out 2>&1; code=$?
      case $code in 126 | 127) echo "$path: exit code $code" ;; esac
      grep -H 'error while loading' /tmp/out && echo "$path"
    done
    for path in /usr/lib/x86_64-linux-gnu/*.so*; do [ -e "$path" ] || echo "$path: broken link"; done
    durantic version`;
  const unshare = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', file, dir, inside];
  const { stdout } = await runCommand('unshare', unshare, { timeoutMs: 120_000, okExitCodes: [0, 1] });
  assert.match(stdout, /^durantic \d+\.\d+\.\d+/, stdout);
  assert.equal(
    stdout
      .trim()
      .split('\n')
      .filter((line) => line.startsWith('/')).length,
    0,
    stdout,
  );
});
