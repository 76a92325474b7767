import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ProvisionError } from '../../../core/base/errors.ts';
import type { ImageSource } from '../../../core/oci/types.ts';
import { createDecompress } from '../../../core/stream/decompress.ts';
import { createDigest } from '../../../core/stream/digest.ts';
import { createProgressMeter } from '../../../core/stream/progress-meter.ts';
import { LayerProof } from '../../disk/layer-proof.ts';
import { extractLayer } from '../../layer/extract-layer.ts';
import type { LayerResult } from '../../layer/types.ts';
import type { InstallPlan } from '../install-plan.ts';
import type { StepContext, StepResult } from '../types.ts';
import { type MountedRoot, type MountRootOptions, mountRoot } from './mount-root.ts';
import type { ProbedLayer } from './probe-layer.ts';
import type { ResizedDisk } from './resize-root.ts';
import { checkBootMount } from './separate-boot.ts';
import { WriteBack } from './write-back.ts';

export interface ExtractLayersInput {
  readonly source: ImageSource;
  readonly plan: InstallPlan;
  readonly disk: ResizedDisk;
  /** Takes the mount, which stays for the later steps. */
  readonly opened: AsyncDisposableStack;
}

/** What the fourth step gives to the others. */
export interface ExtractedLayers {
  readonly root: MountedRoot;
  readonly mount: MountRootOptions;
  readonly proofs: readonly LayerProof[];
}

/** Where distributions mount the EFI system partition, which is not mounted here: what layers hold below stays hidden. */
const espMountPoints = ['boot/efi', 'efi'];

/** Step 4: layers 1… onto the mounted root, each verified while it is extracted. */
export async function extractLayers(ctx: StepContext, input: ExtractLayersInput): Promise<StepResult<ExtractedLayers>> {
  const { disk, opened, plan } = input;
  const { layers, unpackedBytes } = plan.inspected;
  const rootDevice = disk.devices.get(disk.rootNumber);
  if (rootDevice === undefined) throw new ProvisionError('invariant', 'the root partition was lost');
  const mount = { rootDevice, rootType: disk.rootType, boot: disk.boot, log: ctx.log, signal: ctx.signal };
  const root = opened.use(await mountRoot(mount));
  if (layers.length === 0) {
    checkBootMount(ctx, root.path, disk);
    return {
      outcome: 'skipped',
      message: 'the image is a complete disk, it has no further layers',
      value: { root, mount, proofs: [] },
    };
  }
  await using writeBack = new WriteBack({ flush: () => root.flush() });
  const downloadBytes = layers.reduce((sum, { layer }) => sum + layer.sizeBytes, 0);
  const total = { entries: 0, fileBytes: 0, tarBytes: 0, blobBytes: 0 };
  const proofs: LayerProof[] = [];
  for (const probed of layers) {
    let layerBlobBytes = 0;
    let layerTarBytes = 0;
    const report = (): void =>
      ctx.progress({
        fraction: (total.blobBytes + layerBlobBytes) / downloadBytes,
        bytesDone: total.tarBytes + layerTarBytes,
        bytesTotal: unpackedBytes,
        message: `${probed.label}, ${layers.indexOf(probed) + 1} of ${layers.length}`,
      });
    const { proof, result } = await extractOne(ctx, input, probed, {
      root: root.path,
      writeBack,
      onBlobBytes: (bytes) => {
        layerBlobBytes = bytes;
        report();
      },
      onTarBytes: (bytes) => {
        layerTarBytes = bytes;
      },
    });
    warnAbout(ctx, probed, result);
    proofs.push(proof);
    total.blobBytes += layerBlobBytes;
    total.tarBytes += layerTarBytes;
    total.entries += result.entries;
    total.fileBytes += result.fileBytes;
  }
  await writeBack.settle();
  checkBootMount(ctx, root.path, disk);
  return {
    outcome: 'succeeded',
    message: `${layers.length} layers, ${total.entries} entries`,
    facts: { layers: layers.length, entries: total.entries, file_bytes: total.fileBytes },
    value: { root, mount, proofs },
  };
}

interface ExtractOneHooks {
  readonly root: string;
  readonly writeBack: WriteBack;
  readonly onBlobBytes: (bytes: number) => void;
  readonly onTarBytes: (bytes: number) => void;
}

async function extractOne(
  ctx: StepContext,
  input: ExtractLayersInput,
  probed: ProbedLayer,
  hooks: ExtractOneHooks,
): Promise<{ proof: LayerProof; result: LayerResult }> {
  const { layer, label, codec } = probed;
  if (layer.diffId === null) throw new ProvisionError('invariant', `${label} has no diff_id`);
  const compressed = createDigest(layer.digest);
  const uncompressed = createDigest(layer.diffId);
  let result: LayerResult | null = null;
  let handedBytes = 0;
  await pipeline(
    input.source.openBlob(layer, {
      signal: ctx.signal,
      onResume: (facts) => ctx.log.info({ layer: label, ...facts }, 'download taken up again'),
    }),
    createProgressMeter(hooks.onBlobBytes),
    compressed,
    createDecompress(codec.codec, { label, windowBytes: codec.windowBytes, maxWindowBytes: input.plan.maxWindowBytes }),
    uncompressed,
    async (tar: AsyncIterable<Buffer>) => {
      result = await extractLayer(tar as unknown as Readable, {
        root: hooks.root,
        label,
        signal: ctx.signal,
        hiddenBelow: input.disk.espDevice === null ? [] : espMountPoints,
        onProgress: ({ tarBytes }) => hooks.onTarBytes(tarBytes),
        afterWrite: (fileBytesTotal) => {
          const bytes = fileBytesTotal - handedBytes;
          handedBytes = fileBytesTotal;
          return hooks.writeBack.wrote(bytes);
        },
      });
    },
    { signal: ctx.signal },
  );
  if (result === null) throw new ProvisionError('invariant', `${label} was not extracted`);
  const measured = { digest: compressed.result(), sizeBytes: compressed.sizeBytes, diffId: uncompressed.result() };
  return { proof: LayerProof.of(layer, measured), result };
}

function warnAbout(ctx: StepContext, probed: ProbedLayer, result: LayerResult): void {
  for (const warning of result.warnings) ctx.warn(warning);
  if (result.hidden.count > 0) {
    ctx.warn(
      `${probed.label} has ${result.hidden.count} entries below a mount point, which stay hidden, such as ${result.hidden.example}`,
    );
  }
}
