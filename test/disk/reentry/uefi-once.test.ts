import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { listEspFiles } from '../../../agent/reentry/esp-folder.ts';
import type { OneShotFiles, Placed } from '../../../agent/reentry/one-shot.ts';
import { prepareUefiOnce, removeUefiOnce } from '../../../agent/reentry/one-shot-uefi.ts';
import { readSystemDisk } from '../../../agent/reentry/system-mounts.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { silentLogger } from '../../../core/base/logger.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { writeTree } from '../../builders/rootfs-tree.ts';
import { withoutModes } from '../../fakes/change-files.ts';
import { Resources, waitFor } from '../../resources.ts';

const mib = 1024 * 1024;
const signal = AbortSignal.timeout(120_000);

/** A scripted efibootmgr: entries and BootNext are files, as the firmware has them in NVRAM. */
const program = `#!/bin/sh
dir=$(dirname "$0")/..
echo "$*" >>"$dir/calls"
[ ! -e "$dir/broken" ] || { echo "EFI variables are not supported on this system." >&2; exit 2; }
case $1 in
  --verbose) [ ! -e "$dir/next" ] || echo "BootNext: $(cat "$dir/next")"; cat "$dir/entries" ;;
  --create-only) printf 'Boot000A* %s\\tHD(1,GPT,x)/File(%s)\\n' "$9" "$7" >>"$dir/entries"; printf '%s' "\${11}" >"$dir/options" ;;
  --bootnext) [ -e "$dir/forgetful" ] || echo "$2" >"$dir/next" ;;
  --delete-bootnext) rm "$dir/next" ;;
  --bootnum) sed -i "/^Boot$2/d" "$dir/entries" ;;
esac
`;

interface Lab {
  readonly dir: string;
  readonly device: string;
  readonly noted: Placed[];
  readonly runDir: string;
  prepare(sizeBytes: number): Promise<string>;
  readonly mountPoint: string;
  /** Paths of all files on the EFI system partition. */
  list(): string[];
}

/** A disk with an EFI system partition of 64 MiB, and a firmware. */
async function lab(resources: Resources): Promise<Lab> {
  const file = resources.sparseFile(80 * mib);
  await runCommand('sgdisk', ['-n', '1:2048:+64M', '-t', '1:ef00', file]);
  const loop = await resources.loop(file);
  await runCommand('partx', ['-a', loop]);
  const device = `${loop}p1`;
  await waitFor('the partition', () => existsSync(device));
  // In place of FAT, which not every kernel that runs tests can mount; mounted as systems mount their own.
  await runCommand('mkfs.ext4', ['-q', '-m', '0', '-O', '^has_journal', device]);
  const mountPoint = await resources.mount(device);
  rmdirSync(join(mountPoint, 'lost+found'));
  const dir = resources.tempDir();
  writeTree(dir, {
    'bin/efibootmgr': { mode: 0o755, data: program },
    entries: 'BootCurrent: 0001\nBootOrder: 0001\nBoot0001* Debian\tHD(1,GPT,x)/File(\\EFI\\BOOT\\BOOTX64.EFI)\n',
  });
  const path = process.env['PATH'];
  process.env['PATH'] = `${join(dir, 'bin')}:${path}`;
  resources.defer('PATH', () => {
    process.env['PATH'] = path;
  });
  const runDir = join(dir, 'run');
  mkdirSync(runDir);
  const noted: Placed[] = [];
  const disk = await waitFor('the identity of the partition', async () => {
    const read = await readSystemDisk(loop, signal);
    return read.partitions[0] !== undefined && read;
  });
  const [partition] = disk.partitions;
  assert.ok(partition !== undefined);
  // lsblk asks udev, which may not run where tests do.
  const { stdout } = await runCommand('sgdisk', ['-i', '1', loop]);
  const partUuid = /unique GUID: (\S+)/.exec(stdout)?.[1]?.toLowerCase() ?? '';
  const esp = { disk, partition: { ...partition, identity: { ...partition.identity, partUuid } } };
  return {
    ...{ dir, device, noted, runDir },
    prepare: async (sizeBytes) => {
      const kernel = randomBytes(sizeBytes);
      writeFileSync(join(dir, 'installer'), kernel);
      const sha256 = createHash('sha256').update(kernel).digest('hex');
      const installer = { path: join(dir, 'installer'), sha256, sizeBytes };
      const files: OneShotFiles = {
        installer,
        initrd: Buffer.from('state'),
        commandLine: 'console=tty0 durantic.vlan=4',
      };
      const note = (placed: Placed): void => void noted.push(placed);
      return (await prepareUefiOnce(esp, files, { runDir, log: silentLogger, signal, note })).said;
    },
    mountPoint,
    list: () => [...listEspFiles(mountPoint).keys()].sort(),
  };
}

test('kernel and state lie on the EFI system partition, the firmware is told once, and nothing is left afterwards', async () => {
  await using resources = new Resources();
  const { dir, device, mountPoint, runDir, noted, prepare, list } = await lab(resources);
  const said = await prepare(3 * mib);
  assert.match(said, /told to start it once \(entry 000A, \/dev\/loop\d+p1\)/);
  assert.equal(noted.length, 1);
  assert.match(noted[0]?.espPartUuid ?? '', /^[0-9a-f-]{36}$/);
  assert.deepEqual(list(), ['/EFI/durantic/state.img', '/EFI/durantic/vmlinuz.efi']);
  assert.equal(readFileSync(join(mountPoint, 'EFI/durantic/state.img'), 'utf8'), 'state');
  assert.equal(
    readFileSync(join(dir, 'options'), 'utf8'),
    'initrd=\\EFI\\durantic\\state.img console=tty0 durantic.vlan=4',
  );
  assert.equal(readFileSync(join(dir, 'next'), 'utf8'), '000A\n');
  await removeUefiOnce(device, { runDir, signal });
  assert.deepEqual(list(), []);
  assert.doesNotMatch(readFileSync(join(dir, 'entries'), 'utf8'), /Durantic/);
  assert.ok(!existsSync(join(dir, 'next')), 'a BootNext that leads nowhere');
  assert.match(readFileSync(join(dir, 'entries'), 'utf8'), /Boot0001\* Debian/);
});

test('without room, or where the firmware forgets what it is to start next: refused, and everything taken back', async () => {
  await using resources = new Resources();
  const { dir, noted, prepare, list } = await lab(resources);
  const code = (expected: string) => (error: unknown) => error instanceof ProvisionError && error.code === expected;
  writeFileSync(join(dir, 'broken'), '');
  await assert.rejects(prepare(mib), code('tool_failed'));
  assert.deepEqual([list(), noted], [[], []], 'nothing was begun');
  rmSync(join(dir, 'broken'));
  await assert.rejects(prepare(70 * mib), code('space_insufficient'));
  assert.deepEqual(list(), []);
  writeFileSync(join(dir, 'forgetful'), '');
  await assert.rejects(prepare(mib), code('installer_unreachable'));
  assert.deepEqual(list(), []);
  assert.doesNotMatch(readFileSync(join(dir, 'entries'), 'utf8'), /Durantic/);
});

test('on a file system without modes nothing is placed: every user could read the private key', async (t) => {
  await using resources = new Resources();
  const { dir, mountPoint, prepare, list } = await lab(resources);
  await withoutModes(t);
  await assert.rejects(prepare(mib), (error: unknown) => {
    assert.ok(error instanceof ProvisionError && error.code === 'installer_unreachable');
    assert.ok(error.message.includes(`on ${mountPoint}, `) && error.message.includes('umask=0077'), error.message);
    return true;
  });
  assert.deepEqual(list(), []);
  assert.doesNotMatch(readFileSync(join(dir, 'entries'), 'utf8'), /Durantic/);
});
