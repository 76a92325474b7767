import { rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import { makeWorkFolder } from '../../core/base/work-folder.ts';
import type { Ext4Superblock } from './ext4-superblock.ts';
import { mountFolder } from './mounted-folder.ts';
import { smallRootBytes } from './plan-ext4-growth.ts';
import { memoryFolder } from './shadow-file.ts';
import type { DiskContext } from './types.ts';

export interface RemakeOptions {
  readonly device: string;
  readonly type: 'ext2' | 'ext3' | 'ext4';
  readonly superblock: Ext4Superblock;
  readonly uuid: string;
}

const blockBytes = 4096;
const leastInodeBytes = 256;
/** States rather than features: mke2fs does not know them, or sets them itself. */
const notGiven = /^(needs_recovery|orphan_present|FEATURE_.*)$/;
/** Features that need more arguments than the superblock's copy here gives: such a filesystem is grown. */
const notRemade = /^(bigalloc|journal_dev|quota|project|casefold|encrypt)$/;

/** How many bytes the files of an unmounted filesystem take, without its metadata; and whether it can be made anew. */
export async function canRemake(device: string, ctx: DiskContext): Promise<boolean> {
  const features = await readFeatures(device, ctx);
  if (features.some((feature) => notRemade.test(feature))) return false;
  await using mounted = await mountFolder(device, 'ro', ctx);
  const stats = await statfs(mounted.path);
  return (stats.blocks - stats.bfree) * stats.bsize <= smallRootBytes;
}

/**
 * Makes an ext filesystem anew over its whole partition: same type, label, features and share of reserved blocks, blocks
 * of 4 KiB, the journal that mke2fs gives at this size, another UUID. Its files are put aside in memory and put back
 * with owners, modes, times, hard links, ACLs and extended attributes.
 * @throws ProvisionError `tool_failed`, `tool_missing` (needs GNU tar).
 */
export async function remakeExt4(options: RemakeOptions, ctx: DiskContext): Promise<void> {
  const { device } = options;
  const features = await readFeatures(device, ctx);
  const folder = makeWorkFolder('aside', await memoryFolder());
  try {
    const archive = join(folder, 'root.tar');
    {
      await using mounted = await mountFolder(device, 'ro', ctx);
      await tar(['--create', '--sparse', '--exclude=./lost+found'], { archive, folder: mounted.path, ctx });
    }
    await runCommand('mke2fs', mke2fsArguments(options, features), { signal: ctx.signal });
    await using mounted = await mountFolder(device, 'rw', ctx);
    await tar(['--extract', '--preserve-permissions', '--same-owner'], { archive, folder: mounted.path, ctx });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface TarOptions {
  readonly archive: string;
  readonly folder: string;
  readonly ctx: DiskContext;
}

/** The pax format keeps nanoseconds and long names. */
async function tar(mode: readonly string[], options: TarOptions): Promise<void> {
  const common = ['--format=posix', '--numeric-owner', '--acls', '--selinux', '--xattrs', '--xattrs-include=*'];
  const place = ['--file', options.archive, '--directory', options.folder];
  const create = mode[0] === '--create' ? ['.'] : [];
  await runCommand('tar', [...mode, ...common, ...place, ...create], { signal: options.ctx.signal });
}

async function readFeatures(device: string, ctx: DiskContext): Promise<string[]> {
  const { stdout } = await runCommand('dumpe2fs', ['-h', device], { signal: ctx.signal });
  const line = /^Filesystem features:\s+(.*)$/m.exec(stdout)?.[1] ?? '';
  return line.split(/\s+/).filter((feature) => feature !== '');
}

function mke2fsArguments(options: RemakeOptions, features: readonly string[]): string[] {
  const { superblock } = options;
  const reservedPercent = (100 * superblock.reservedBlocks) / superblock.blocks;
  const kept = features.filter((feature) => !notGiven.test(feature));
  // A filesystem past 16 TiB needs it, and below it does no harm to one that has it.
  const all = kept.includes('64bit') || options.type !== 'ext4' ? kept : [...kept, '64bit'];
  return [
    ...['-t', options.type, '-F', '-q'],
    ...['-b', `${blockBytes}`, '-I', `${Math.max(leastInodeBytes, superblock.inodeBytes)}`],
    ...['-m', reservedPercent.toFixed(2), '-U', options.uuid],
    ...(superblock.label === '' ? [] : ['-L', superblock.label]),
    ...['-O', ['none', ...all].join(','), options.device],
  ];
}
