import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type CommandResult, runCommand } from '../../../core/base/run-command.ts';
import { buildBinary } from '../../../scripts/build/build-binary.ts';
import { distDir } from '../../../scripts/build/paths.ts';
import { Resources } from '../../resources.ts';
import { minimalRoot, mountProc, placeBundle, runInRoot } from './minimal-root.ts';

const addon = 'durantic-native.node';
const shared = new Resources();
let bundleDir = '';

before(async () => {
  const entry = join(import.meta.dirname, 'small-program.ts');
  bundleDir = (await buildBinary({ outDir: join(shared.tempDir(), 'out'), entry })).bundleDir;
});
after(async () => await shared[Symbol.asyncDispose]());

/**
 * Runs shell lines, then the small program, with the binary's candidate folders mounted anew and empty, seen by nobody
 * else. `$binary` is the program.
 */
async function inOwnMounts(lines: string, options: { tmpfs?: string } = {}): Promise<CommandResult> {
  const mounts = ['/run', '/tmp', '/var/tmp', '/dev/shm']
    .map((dir) => `mount -t tmpfs -o mode=1777,${options.tmpfs ?? 'exec'} tmpfs ${dir}`)
    .join('\n');
  const copy = join(bundleDir, 'durantic');
  // The program itself must not lie below what is covered.
  const script = `set -e; mkdir -p /mnt; mount -t tmpfs tmpfs /mnt; cp '${copy}' '${bundleDir}/libatomic.so.1' /mnt
    binary=/mnt/durantic; ${mounts}; unset TMPDIR XDG_RUNTIME_DIR; ${lines}`;
  return await runCommand('unshare', ['--mount', 'sh', '-c', script], { okExitCodes: [0, 1] });
}

test('a native part inside the binary is laid down in a private folder and can be loaded', async () => {
  const { stdout, exitCode, stderr } = await inOwnMounts(
    `chmod 755 /run; $binary load ${addon}; stat -c '%a %u' /run/durantic`,
  );
  assert.equal(exitCode, 0, stderr);
  const [json, folder] = stdout.split('\n');
  assert.ok((JSON.parse(json ?? '') as { functions: string[] }).functions.includes('lsetxattr'));
  assert.equal(folder, '700 0');
});

test('programs that start together all find a whole file, and one stays', async () => {
  const starts = Array.from(
    { length: 8 },
    (_, index) => `$binary load ${addon} > /mnt/out${index} & pids="$pids $!"`,
  ).join('\n');
  const { stdout, exitCode, stderr } = await inOwnMounts(`chmod 755 /run; ${starts}
    for pid in $pids; do wait $pid; done; ls -A /run/durantic; cat /mnt/out* | grep -c lsetxattr`);
  assert.equal(exitCode, 0, stderr);
  const [name, count, ...others] = stdout.trim().split('\n');
  assert.match(name ?? '', new RegExp(`^[0-9a-f]{16}-${addon}$`));
  assert.equal(count, '8');
  assert.deepEqual(others, []);
});

test('a file altered since the last start is replaced before it is loaded', async () => {
  const { stdout, exitCode, stderr } = await inOwnMounts(`chmod 755 /run; file=$($binary asset ${addon})
    before=$(sha256sum "$file"); printf X | dd of="$file" bs=1 seek=100 conv=notrunc status=none
    test "$before" != "$(sha256sum "$file")"; $binary asset ${addon}; test "$before" = "$(sha256sum "$file")" && echo equal`);
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /\nequal\n$/);
});

test('another user is served from a private folder although somebody made its name first', async () => {
  const { stdout, exitCode, stderr } = await inOwnMounts(`chmod 755 /mnt /mnt/*; mkdir -m 777 /tmp/durantic-65534
    file=$(setpriv --reuid 65534 --regid 65534 --clear-groups $binary load ${addon} && ls -A /tmp/durantic-65534 && ls -A /tmp)
    echo "$file"`);
  assert.equal(exitCode, 0, stderr);
  // Nothing went into the open folder, and the fresh one was taken away again.
  assert.deepEqual(stdout.trim().split('\n').slice(1), ['durantic-65534']);
});

test('where /run and /tmp are mounted noexec the next folder is used', async () => {
  const remount = 'mount -o remount,exec,mode=1777 /dev/shm';
  const { stdout, exitCode, stderr } = await inOwnMounts(
    `chmod 755 /run; ${remount}; $binary asset ${addon}; $binary load ${addon}`,
    {
      tmpfs: 'noexec',
    },
  );
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^\/dev\/shm\/durantic-0\//);
});

test('where /run is mounted read-only the next folder is used, although ours is there', async () => {
  const { stdout, exitCode, stderr } = await inOwnMounts(
    `chmod 755 /run; mkdir -m 700 /run/durantic; mount -o remount,ro /run; $binary asset ${addon}`,
  );
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^\/tmp\/durantic-0\//);
});

test('where no folder will do the error names each with its reason', async () => {
  const { exitCode, stderr } = await inOwnMounts(`mount -o remount,ro /dev/shm; $binary load ${addon}`, {
    tmpfs: 'noexec',
  });
  assert.equal(exitCode, 1);
  assert.match(stderr, /asset_folder_unusable/);
  for (const dir of ['/run/durantic', '/tmp/durantic-0', '/var/tmp/durantic-0', '/dev/shm/durantic-0']) {
    assert.ok(stderr.includes(`${dir} is on a file system mounted noexec`), `${dir} is not named in ${stderr}`);
  }
});

test('a binary whose native part was altered refuses to load it', async () => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  cpSync(bundleDir, folder, { recursive: true });
  const bytes = readFileSync(join(folder, 'durantic'));
  const asset = readFileSync(join(distDir, 'assets', addon));
  const offset = bytes.indexOf(asset);
  assert.ok(offset > 0, 'the asset was not found inside the binary');
  bytes.writeUInt8(bytes.readUInt8(offset + 5000) ^ 1, offset + 5000);
  writeFileSync(join(folder, 'durantic'), bytes);
  const { stderr, exitCode } = await runCommand(join(folder, 'durantic'), ['load', addon], { okExitCodes: [0, 1] });
  assert.equal(exitCode, 1);
  assert.match(stderr, /asset_damaged/);
});

test('a bare root without /run and /tmp, as an initramfs may be, can load it too', async () => {
  await using resources = new Resources();
  const root = minimalRoot(resources);
  await mountProc(resources, root);
  placeBundle(root, bundleDir, { fallback: true });
  const { exitCode, stdout, stderr } = await runInRoot(root, ['load', addon]);
  assert.equal(exitCode, 0, stderr);
  assert.ok(stdout.includes('lsetxattr'));
  assert.equal(statSync(join(root, 'run', 'durantic')).mode & 0o777, 0o700);
  assert.equal(readdirSync(join(root, 'run', 'durantic')).length, 1);
});
