import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { commitTable } from '../../../agent/disk/commit-table.ts';
import type { DeviceAbilities } from '../../../agent/disk/device-abilities.ts';
import { eraseDisk } from '../../../agent/disk/erase-disk.ts';
import { rawDiskBytes } from '../../../agent/disk/geometry.ts';
import { detectGpt } from '../../../agent/disk/gpt.ts';
import { type GrownRoot, growRoot } from '../../../agent/disk/grow-ext4.ts';
import { createImageWriter } from '../../../agent/disk/image-writer.ts';
import { LayerProof } from '../../../agent/disk/layer-proof.ts';
import { planGrownTable } from '../../../agent/disk/plan-table.ts';
import { registerPartitions } from '../../../agent/disk/register-partitions.ts';
import type { DiskContext, EraseReport, GrownTable, OpenTarget } from '../../../agent/disk/types.ts';
import { type VerifiedInstall, verifyInstall } from '../../../agent/disk/verified-install.ts';
import { readDisk } from '../../../agent/hardware/read-disk.ts';
import { silentLogger } from '../../../core/base/logger.ts';
import type { LayerDescriptor } from '../../../core/oci/types.ts';
import type { LayerZero } from './layer-zero.ts';

export const ctx: DiskContext = { log: silentLogger, signal: new AbortController().signal };

const mebibyte = 1024 * 1024;
const layer: LayerDescriptor = { index: 0, digest: 'sha256:d', mediaType: 'raw', sizeBytes: 1, diffId: 'sha256:u' };

export interface Installed {
  readonly erased: EraseReport;
  readonly table: GrownTable;
  readonly root: GrownRoot;
  readonly partitions: ReadonlyMap<number, string>;
}

/** The disk's part of an installation, up to the moment before the commit. */
export async function installUncommitted(
  target: OpenTarget,
  image: LayerZero,
  abilities?: DeviceAbilities,
): Promise<Installed> {
  const imageGpt = detectGpt(image.bytes);
  const sizeBytes = rawDiskBytes(imageGpt);
  const erased = await eraseDisk(target, await readDisk(target.path), {
    ...ctx,
    imageBytes: sizeBytes,
    ...(abilities === undefined ? {} : { abilities }),
  });
  const writer = createImageWriter(target, { imageGpt, sizeBytes, erased });
  await pipeline(Readable.from(chunks(image.bytes)), writer);
  const head = image.bytes.subarray(0, mebibyte);
  const table = await planGrownTable({ head, imageGpt, rootNumber: image.rootNumber, target }, ctx);
  const partitions = await registerPartitions(target, table.gpt, ctx);
  const partition = table.gpt.partitions.find(({ number }) => number === image.rootNumber);
  const device = partitions.get(image.rootNumber);
  if (partition === undefined || device === undefined) throw new Error('there is no root partition');
  const rootBytes = (partition.lastLba - partition.firstLba + 1) * target.sectorBytes;
  const root = await growRoot({ device, sizeBytes: rootBytes, canGrow: table.rootCanGrow }, ctx);
  return { erased, table, root, partitions };
}

/** The proof that a real run gets from its verified streams. */
export async function proofFor(target: OpenTarget, table: GrownTable): Promise<VerifiedInstall> {
  const proofs = [LayerProof.of(layer, { digest: 'sha256:d', diffId: 'sha256:u', sizeBytes: 1 })];
  const bootPath = { firmware: ['bios'] as const, checked: ['boot code'] };
  return await verifyInstall({ target, table, layers: [layer], proofs, bootPath });
}

/** All of it, with the commit. */
export async function installLayerZero(
  target: OpenTarget,
  image: LayerZero,
  abilities?: DeviceAbilities,
): Promise<Installed> {
  const installed = await installUncommitted(target, image, abilities);
  const proof = await proofFor(target, installed.table);
  const committed = await commitTable(target, installed.table, { ...ctx, proof, registerUnread: true });
  return { ...installed, partitions: committed.partitions };
}

/** Pieces of uneven sizes, as a decompressor gives them. */
export function* chunks(bytes: Buffer, sizes: readonly number[] = [65_536, 100_003, 17, 4096]): Generator<Buffer> {
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const length = sizes[index % sizes.length] ?? 4096;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}
