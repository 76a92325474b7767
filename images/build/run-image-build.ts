import { ProvisionError } from '../../core/base/errors.ts';
import type { Platform } from '../../core/oci/types.ts';
import { type BuildImageOptions, type BuiltImage, buildImage } from './build-image.ts';
import type { LayerCodec } from './image-media-types.ts';

/** The flags of `durantic image build`. */
export interface ImageBuildFlags {
  readonly disk?: string;
  readonly makeDisk?: true;
  readonly diskLayer: 'raw' | 'tar';
  readonly root?: string;
  readonly from?: string;
  readonly layer: readonly string[];
  readonly to: string;
  readonly compress: LayerCodec;
  readonly sectorSize?: '512' | '4096';
  readonly label: readonly string[];
  readonly platform: Platform;
  readonly plainHttp?: true;
  readonly registryCa?: string;
  readonly json?: true;
}

/**
 * Runs `durantic image build`: progress on stderr, what was built on stdout. ^C ends it and leaves no tagged image.
 * @throws what buildImage throws, `usage` for a wrong label or SOURCE_DATE_EPOCH.
 */
export async function runImageBuild(flags: ImageBuildFlags): Promise<void> {
  const controller = new AbortController();
  const stop = (): void => controller.abort(new ProvisionError('aborted', 'the build was interrupted'));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    const options = toBuildOptions(flags, process.env, controller.signal);
    const image = await buildImage({
      ...options,
      onProgress: (message) => process.stderr.write(`${message}\n`),
    });
    process.stdout.write(flags.json ? `${JSON.stringify(image, null, 2)}\n` : describeBuiltImage(image));
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

/** Flags and environment as the options of a build. */
export function toBuildOptions(
  flags: ImageBuildFlags,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): BuildImageOptions {
  const disk =
    flags.makeDisk === true
      ? ({ kind: 'make' } as const)
      : flags.disk === undefined
        ? null
        : ({ kind: 'file', file: flags.disk } as const);
  return {
    disk,
    diskForm: flags.diskLayer,
    sectorBytes: flags.sectorSize === undefined ? null : flags.sectorSize === '4096' ? 4096 : 512,
    root: flags.root ?? null,
    from: flags.from ?? null,
    layers: flags.layer,
    to: flags.to,
    codec: flags.compress,
    labels: parseLabels(flags.label),
    platform: flags.platform,
    plainHttp: flags.plainHttp ?? false,
    registryCaFile: flags.registryCa ?? null,
    sourceDateEpoch: parseEpoch(env['SOURCE_DATE_EPOCH']),
    signal,
  };
}

/** `K=V` pairs; the last one of a key counts. */
export function parseLabels(pairs: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    if (equals < 1) throw new ProvisionError('usage', `--label ${pair} is not of the form KEY=VALUE`);
    labels[pair.slice(0, equals)] = pair.slice(equals + 1);
  }
  return labels;
}

/** What was built, for people. Sizes in bytes. */
export function describeBuiltImage(image: BuiltImage): string {
  const total = image.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const lines = image.layers.map(
    ({ digest, sizeBytes, mediaType }, index) =>
      `  layer ${index}  ${digest.slice(0, 19)}  ${String(sizeBytes).padStart(11)} bytes  ${mediaType}`,
  );
  return [`${image.reference}`, `  ${image.manifestDigest}`, ...lines, `  ${total} bytes in all`, ''].join('\n');
}

function parseEpoch(text: string | undefined): number | null {
  if (text === undefined || text === '') return null;
  if (!/^\d{1,11}$/.test(text)) {
    throw new ProvisionError('usage', `SOURCE_DATE_EPOCH is ${text}, and it is seconds since 1970`);
  }
  return Number(text);
}
