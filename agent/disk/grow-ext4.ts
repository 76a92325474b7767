import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { assertExt4Clean, checkExt4 } from './check-ext4.ts';
import { createDeviceIo } from './device-io.ts';
import { type Ext4Superblock, readExt4Superblock } from './ext4-superblock.ts';
import { planExt4Growth } from './plan-ext4-growth.ts';
import { type FilesystemFacts, type FilesystemType, probeFilesystem } from './probe-filesystem.ts';
import { rawDevice } from './raw-device.ts';
import { canRemake, remakeExt4 } from './remake-ext4.ts';
import type { DiskContext, ReadBytes } from './types.ts';

export interface GrowRootOptions {
  /** The root partition's device; unmounted. */
  readonly device: string;
  readonly sizeBytes: number;
  /** False where another partition follows: checked and renamed, not grown. */
  readonly canGrow: boolean;
  /** Makes the UUID; injectable for tests. */
  readonly newUuid?: () => string;
}

export interface GrownRoot {
  readonly how: 'unchanged' | 'grown' | 'remade';
  readonly type: FilesystemType;
  readonly label: string | null;
  readonly oldUuid: string | null;
  readonly uuid: string;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  /** Null without a journal. */
  readonly journalBytes: number | null;
  /** One sentence for the plan and the log. */
  readonly said: string;
  /** What the operator should be told (F44, poor geometry). */
  readonly warnings: readonly string[];
}

/** e2fsck -fn of an empty filesystem takes 0.7 s of processor time per TiB (measured). */
const quickCheckBytes = 2 ** 40;

const extTypes = ['ext2', 'ext3', 'ext4'] as const;
type ExtType = (typeof extTypes)[number];

/**
 * Brings the root filesystem to the size of its partition, with a UUID of its own: checked and repaired first, then grown
 * by resize2fs, or made anew where growing is impossible or leaves a poor filesystem and it holds at most 64 MiB
 * (provisioning.md, `partition_resize`).
 * @throws ProvisionError `root_filesystem_unsupported` (by name), `filesystem_unfixable`, `tool_failed`, `tool_missing`.
 */
export async function growRoot(options: GrowRootOptions, ctx: DiskContext): Promise<GrownRoot> {
  const { device } = options;
  const facts = await withReader(options, (read) => probeFilesystem(read, options.sizeBytes));
  const type = supportedType(facts, device);
  const warnings: string[] = [];
  const mended = await checkExt4(device, ctx);
  if (mended !== null) warnings.push(`the root filesystem of the image was not in order: ${mended}`);
  const before = await withReader(options, readExt4Superblock);
  const growth = planExt4Growth(before, options.canGrow ? options.sizeBytes : 0);
  const uuid = (options.newUuid ?? randomUUID)();
  const isRemade = growth.how === 'remake' && (await canRemake(device, ctx));
  if (isRemade) {
    await remakeExt4({ device, type, superblock: before, uuid }, ctx);
  } else {
    if (growth.poorBecause.length > 0) warnings.push(poorSentence(growth.poorBecause));
    await setUuid(device, uuid, ctx);
    if (growth.how !== 'unchanged') await runCommand('resize2fs', [device], { signal: ctx.signal });
  }
  // What was mended is looked at once more, what was grown where that is quick; mke2fs makes nothing that needs it.
  const isQuicklyGrown = growth.how !== 'unchanged' && !isRemade && options.sizeBytes <= quickCheckBytes;
  if (mended !== null || isQuicklyGrown) await assertExt4Clean(device, ctx);
  const after = await withReader(options, readExt4Superblock);
  assertUuid(device, after, uuid);
  const how = isRemade ? 'remade' : growth.how === 'unchanged' ? 'unchanged' : 'grown';
  const { blockBytes, journalBytes } = after;
  const sizeBytes = after.blocks * blockBytes;
  const because = isRemade ? `, because ${growth.poorBecause.join(' and ')}` : '';
  const said = `the ${type} root was ${sentenceOf[how]}: ${sizeBytes} bytes${because}`;
  const oldUuid = facts?.uuid ?? null;
  const label = after.label === '' ? null : after.label;
  return { how, type, label, oldUuid, uuid, sizeBytes, blockBytes, journalBytes, said, warnings };
}

const sentenceOf = { unchanged: 'left at its size', grown: 'grown', remade: 'made anew at full size' } as const;

function supportedType(facts: FilesystemFacts | null, device: string): ExtType {
  const type = extTypes.find((candidate) => candidate === facts?.type);
  if (type !== undefined) return type;
  const what = facts === null ? 'no filesystem that is known here' : facts.type;
  const message = `the root on ${device} is ${what}; ext4 (and ext2, ext3) roots can be installed`;
  throw new ProvisionError('root_filesystem_unsupported', message, {
    facts: { device, filesystem: facts?.type ?? null },
  });
}

function poorSentence(poorBecause: readonly string[]): string {
  return `the root holds too much to be made anew and was grown, although ${poorBecause.join(' and ')}`;
}

/**
 * Without metadata_csum_seed every checksum is seeded with the UUID, and tune2fs rewrites them all; it wants a filesystem
 * that was checked since it was last changed, and asks nothing then.
 */
async function setUuid(device: string, uuid: string, ctx: DiskContext): Promise<void> {
  await runCommand('tune2fs', ['-U', uuid, device], { signal: ctx.signal });
}

function assertUuid(device: string, superblock: Ext4Superblock, uuid: string): void {
  if (superblock.uuid === uuid) return;
  throw new ProvisionError('invariant', `the filesystem on ${device} did not take its new UUID`, {
    facts: { device, uuid: superblock.uuid, wanted: uuid },
  });
}

/** Opened anew each time: programs write to the device in between. */
async function withReader<T>(options: GrowRootOptions, use: (read: ReadBytes) => Promise<T>): Promise<T> {
  await using handle = await open(options.device, 'r');
  const io = createDeviceIo(rawDevice(handle), { path: options.device, sizeBytes: options.sizeBytes });
  return await use(io.read);
}
