import { pipeline } from 'node:stream/promises';
import { ProvisionError } from '../../../core/base/errors.ts';
import { formatBytes } from '../../../core/base/format-bytes.ts';
import type { ImageSource } from '../../../core/oci/types.ts';
import { createDecompress } from '../../../core/stream/decompress.ts';
import { createDigest } from '../../../core/stream/digest.ts';
import { createProgressMeter } from '../../../core/stream/progress-meter.ts';
import { assertUsable } from '../../disk/assert-usable.ts';
import { eraseDisk } from '../../disk/erase-disk.ts';
import { headHoldBytes } from '../../disk/geometry.ts';
import { detectGpt } from '../../disk/gpt.ts';
import { ImageHashes } from '../../disk/image-hashes.ts';
import { createImageWriter, heldRanges } from '../../disk/image-writer.ts';
import { LayerProof } from '../../disk/layer-proof.ts';
import { openTarget } from '../../disk/open-target.ts';
import { readBackImage } from '../../disk/read-back.ts';
import { assertSameDisk } from '../../disk/same-disk.ts';
import { stopUsers } from '../../disk/stop-users.ts';
import type { EraseReport, OpenTarget } from '../../disk/types.ts';
import { readDisk } from '../../hardware/read-disk.ts';
import type { InstallPlan } from '../install-plan.ts';
import type { ProvisionRequest, StepContext, StepResult } from '../types.ts';
import { HeadKeeper } from './keep-head.ts';
import { headBytes } from './probe-layer.ts';
import { soleFile } from './sole-file.ts';

export interface StreamBootloaderInput {
  readonly request: ProvisionRequest;
  readonly source: ImageSource;
  readonly plan: InstallPlan;
  /** Takes what stays open for the later steps. */
  readonly opened: AsyncDisposableStack;
}

/** Layer 0 on the disk, but for its head. */
export interface WrittenDisk {
  readonly proof: LayerProof;
  /** What was held back, as it came in the verified stream. */
  readonly head: Buffer;
  /** Partition GUIDs of the table that was on the disk before: firmware boot entries that name them are dead. */
  readonly replacedPartUuids: readonly string[];
}

/** What the second step gives to the others. */
export interface StreamedBootloader {
  readonly target: OpenTarget;
  readonly written: WrittenDisk;
}

/** Step 2: the disk is locked and erased, and layer 0 written, all but the head, verified while it streams. */
export async function streamBootloader(
  ctx: StepContext,
  input: StreamBootloaderInput,
): Promise<StepResult<StreamedBootloader>> {
  const { plan, request, opened } = input;
  const { disk } = plan.inspected;
  const { path } = plan.diskFacts;
  if (!plan.isFile) {
    const stopped = await stopUsers(plan.diskFacts, { readAgain: () => readDisk(path) }, ctx);
    for (const sentence of stopped) ctx.log.info({ device: path }, sentence);
  }
  const target = opened.use(
    await openTarget(path, { sectorBytes: request.sectorBytes, log: ctx.log, signal: ctx.signal }),
  );
  await checkOnceMore(plan, target);
  const replacedPartUuids = await oldPartUuids(target);
  // From here on the old contents are gone, whatever happens: the first write is that of the erasure.
  ctx.setDiskState('erased');
  const facts = await readDisk(target.path);
  const erased = await eraseDisk(target, facts, { log: ctx.log, signal: ctx.signal, imageBytes: disk.diskBytes });
  for (const sentence of erased.said) ctx.log.info({ device: target.path }, sentence);
  ctx.setDiskState('partial');
  const streamed = await stream(ctx, { ...input, target }, erased);
  return {
    outcome: 'succeeded',
    message: `${formatBytes(disk.diskBytes)} on ${target.path}`,
    facts: { disk_bytes: disk.diskBytes, removed_signatures: erased.removed.length },
    value: { target, written: { ...streamed, replacedPartUuids } },
  };
}

async function oldPartUuids(target: OpenTarget): Promise<string[]> {
  try {
    const old = detectGpt(await target.read(0, Math.min(headBytes, target.sizeBytes)));
    return old.partitions.map(({ uniqueGuid }) => uniqueGuid);
  } catch (error) {
    if (error instanceof ProvisionError && error.code === 'gpt_invalid') return [];
    throw error;
  }
}

/** The target right before the first write: still the disk that the plan was made for, and nobody uses it. */
async function checkOnceMore(plan: InstallPlan, target: OpenTarget): Promise<void> {
  const now = await readDisk(target.path);
  if (!plan.isFile) assertSameDisk(plan.diskFacts, now);
  await assertUsable(now, {
    read: (offsetBytes, lengthBytes) => target.read(offsetBytes, lengthBytes),
    mustBeIdle: true,
  });
}

async function stream(
  ctx: StepContext,
  input: StreamBootloaderInput & { readonly target: OpenTarget },
  erased: EraseReport,
): Promise<Pick<WrittenDisk, 'proof' | 'head'>> {
  const { plan, source, target } = input;
  const { layer, label, codec, fileCodec, gpt, diskBytes, head: probedHead } = plan.inspected.disk;
  const limits = { maxWindowBytes: plan.maxWindowBytes };
  const compressed = createDigest(layer.digest);
  const uncompressed = createDigest(layer.diffId);
  const keeper = new HeadKeeper(headHoldBytes(gpt));
  const hashes = input.request.readBack ? new ImageHashes(heldRanges(target, { imageGpt: gpt })) : null;
  let blobBytes = 0;
  const writer = createImageWriter(target, {
    imageGpt: gpt,
    sizeBytes: diskBytes,
    erased,
    onFlushed: (flushedBytes) =>
      ctx.progress({
        fraction: Math.min(blobBytes / layer.sizeBytes, flushedBytes / diskBytes),
        bytesDone: flushedBytes,
        bytesTotal: diskBytes,
      }),
  });
  const blob = source.openBlob(layer, {
    signal: ctx.signal,
    onResume: (facts) => ctx.log.info({ layer: label, ...facts }, 'download taken up again'),
  });
  const meter = createProgressMeter((bytes) => {
    blobBytes = bytes;
  });
  const decompress = createDecompress(codec.codec, { label, windowBytes: codec.windowBytes, ...limits });
  const options = { signal: ctx.signal };
  const toDisk = hashes === null ? ([keeper, writer] as const) : ([keeper, hashes, writer] as const);
  if (fileCodec === null) {
    await pipeline(blob, meter, compressed, decompress, uncompressed, ...toDisk, options);
  } else {
    const decompressFile = createDecompress(fileCodec.codec, {
      label: `the raw disk in ${label}`,
      windowBytes: fileCodec.windowBytes,
      ...limits,
    });
    const untar = (tar: AsyncIterable<Buffer>): AsyncIterable<Buffer> => soleFile(tar, label);
    await pipeline(blob, meter, compressed, decompress, uncompressed, untar, decompressFile, ...toDisk, options);
  }
  const proof = LayerProof.of(layer, {
    digest: compressed.result(),
    sizeBytes: compressed.sizeBytes,
    diffId: uncompressed.result(),
  });
  const head = keeper.head();
  // The plan was made from the first bytes alone, before their digest was known.
  if (!head.equals(probedHead.subarray(0, head.length))) {
    throw new ProvisionError(
      'digest_mismatch',
      `${label} began with other bytes when it was looked at than when it was written`,
    );
  }
  if (hashes !== null) await readBackImage(target, hashes.ranges, { signal: ctx.signal });
  return { proof, head };
}
