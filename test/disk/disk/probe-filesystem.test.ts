import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { test } from 'node:test';
import { probeFilesystem } from '../../../agent/disk/probe-filesystem.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { Resources } from '../../resources.ts';

const mib = 1024 ** 2;

test('filesystems are recognised with label and UUID, as blkid does', async () => {
  await using resources = new Resources();
  const sizeBytes = 320 * mib;
  const makers = [
    ['mkfs.ext4', '-q', '-L', 'world 1'],
    ['mkfs.ext3', '-q', '-L', 'three'],
    ['mkfs.ext2', '-q'],
    ['mkfs.xfs', '-q', '-L', 'xfs-root'],
    ['mkfs.btrfs', '-q', '-L', 'butter'],
    ['mkfs.vfat', '-F', '32', '-n', 'EFI'],
    ['mkfs.vfat', '-F', '16'],
    ['mkswap', '-L', 'swapped'],
  ];
  for (const [program = '', ...args] of makers) {
    const file = resources.sparseFile(sizeBytes);
    await runCommand(program, [...args, file]);
    await using handle = await open(file, 'r');
    const read = async (offset: number, length: number): Promise<Buffer> => {
      const buffer = Buffer.alloc(length);
      await handle.read(buffer, 0, length, offset);
      return buffer;
    };
    const facts = await probeFilesystem(read, sizeBytes);
    const { stdout } = await runCommand('blkid', ['-p', '-o', 'export', file]);
    const value = (key: string): string | null =>
      new RegExp(`^${key}=(.*)$`, 'm').exec(stdout)?.[1]?.replaceAll('\\', '') ?? null;
    assert.deepEqual(
      facts,
      { type: value('TYPE'), label: value('LABEL'), uuid: value('UUID') },
      `${program} ${args.join(' ')}`,
    );
  }
  const zeros = async (_offset: number, length: number): Promise<Buffer> => Buffer.alloc(length);
  assert.equal(await probeFilesystem(zeros, sizeBytes), null);
});
