import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { assertGrownAsPlanned } from './assert-grown.ts';
import { assertImageFits } from './assert-image-fits.ts';
import { backupTableBytes, headHoldBytes, mebibyte } from './geometry.ts';
import { parseGpt } from './gpt.ts';
import { makeShadowFile, type ShadowFile } from './shadow-file.ts';
import type { DiskContext, Gpt, GptPartition, GrownTable, Target } from './types.ts';

/** Lower-case GUIDs of a table, those of the partitions by number. */
export interface TableGuids {
  readonly disk: string;
  readonly partitions: ReadonlyMap<number, string>;
}

export interface PlanTableOptions {
  /** The image's first MiB, or at least all that is held back of it. */
  readonly head: Buffer;
  readonly imageGpt: Gpt;
  readonly rootNumber: number;
  readonly target: Pick<Target, 'path' | 'sizeBytes' | 'sectorBytes'>;
  /** The GUIDs that the table gets; default: all new. An installation keeps those that a boot loader has built in. */
  readonly guids?: TableGuids;
}

/**
 * Computes the table that will be committed: the image's, with its backup at the end of the disk, a new disk GUID and new
 * partition GUIDs, and the root grown to the end where no partition follows it. One sgdisk call does it, on a sparse
 * stand-in of the disk (it sleeps a second at every write); names, types, attributes and everything else of the other
 * partitions stay, which is checked. The disk is not touched.
 * @throws ProvisionError `disk_too_small`, `sector_size_mismatch`, `root_partition_missing`, `gpt_invalid`,
 * `tool_missing`, `tool_failed`; `invariant` when the result is not what was asked for.
 */
export async function planGrownTable(options: PlanTableOptions, ctx: DiskContext): Promise<GrownTable> {
  const { imageGpt, target } = options;
  assertImageFits(imageGpt, target);
  const root = imageGpt.partitions.find((partition) => partition.number === options.rootNumber);
  if (root === undefined) {
    throw new ProvisionError('root_partition_missing', `the image has no partition ${options.rootNumber}`);
  }
  const rootCanGrow = !imageGpt.partitions.some((partition) => partition.firstLba > root.lastLba);
  const rootLastLba = rootCanGrow ? grownEnd(root, target) : root.lastLba;
  const guids = options.guids ?? newGuids(imageGpt);
  const headBytes = headHoldBytes(imageGpt);
  const head = options.head.subarray(0, headBytes);
  await using shadow = await makeShadowFile({ ...target, head }, ctx);
  const args = [...sgdiskArguments(imageGpt, { root, rootLastLba, guids }), shadow.path];
  await runCommand('sgdisk', args, { signal: ctx.signal });
  await verifyWithSgdisk(shadow, ctx);
  const tailBytes = backupTableBytes(target.sectorBytes);
  const table = {
    rootNumber: root.number,
    head: await readShadow(shadow.path, 0, headBytes),
    tail: await readShadow(shadow.path, target.sizeBytes - tailBytes, tailBytes),
    tailOffsetBytes: target.sizeBytes - tailBytes,
    rootCanGrow,
  };
  const grown = { ...table, gpt: parseGpt(table.head, target.sectorBytes) };
  assertGrownAsPlanned(grown, { imageGpt, imageHead: head, rootLastLba, guids });
  return grown;
}

function newGuids(gpt: Gpt): TableGuids {
  return { disk: randomUUID(), partitions: new Map(gpt.partitions.map(({ number }) => [number, randomUUID()])) };
}

/** The last sector before the backup table, aligned down to 1 MiB; where the root already ends later, that. */
function grownEnd(root: GptPartition, target: PlanTableOptions['target']): number {
  const usableSectors = (target.sizeBytes - backupTableBytes(target.sectorBytes)) / target.sectorBytes;
  const alignment = mebibyte / target.sectorBytes;
  return Math.max(root.lastLba, Math.floor(usableSectors / alignment) * alignment - 1);
}

interface Change {
  readonly root: GptPartition;
  readonly rootLastLba: number;
  readonly guids: TableGuids;
}

/**
 * sgdisk has no "resize": the root is deleted and made again under its number, with its type, name and attributes. `-a 1`
 * keeps it from moving the start of a root that is not aligned.
 */
function sgdiskArguments(gpt: Gpt, change: Change): string[] {
  const { root, rootLastLba, guids } = change;
  const args = ['-a', '1', '-e', '-U', guids.disk];
  if (rootLastLba !== root.lastLba) {
    const { number } = root;
    args.push('-d', `${number}`, '-n', `${number}:${root.firstLba}:${rootLastLba}`, '-t', `${number}:${root.typeGuid}`);
    if (root.name !== '') args.push('-c', `${number}:${root.name}`);
    args.push('-A', `${number}:=:${root.attributes.toString(16).padStart(16, '0')}`);
  }
  for (const { number } of gpt.partitions) args.push('-u', `${number}:${guids.partitions.get(number) ?? ''}`);
  return args;
}

/** sgdisk's own exit status does not tell: it is 0 after alarming words about the backup that is not there yet. */
async function verifyWithSgdisk(shadow: ShadowFile, ctx: DiskContext): Promise<void> {
  const { stdout } = await runCommand('sgdisk', ['-v', shadow.path], { signal: ctx.signal });
  if (stdout.includes('No problems found')) return;
  throw new ProvisionError('tool_failed', 'sgdisk finds fault with the table that it made', {
    facts: { command: 'sgdisk -v', stdout: stdout.trim().slice(-2000) },
  });
}

async function readShadow(file: string, offsetBytes: number, lengthBytes: number): Promise<Buffer> {
  await using handle = await open(file, 'r');
  const buffer = Buffer.alloc(lengthBytes);
  await handle.read(buffer, 0, lengthBytes, offsetBytes);
  return buffer;
}
