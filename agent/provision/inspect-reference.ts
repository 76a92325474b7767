import { asProvisionError, type ProvisionError } from '../../core/base/errors.ts';
import type { Platform, ResolvedImage } from '../../core/oci/types.ts';
import { maxWindowBytes } from './memory.ts';
import { openImageSource } from './open-image-source.ts';
import { type InspectedImage, inspectImage, unpackedBytesOf } from './steps/inspect-image.ts';

export interface InspectReferenceOptions {
  readonly platform: Platform;
  readonly plainHttp: boolean;
  readonly registryCaFile: string | null;
}

/** What is known of an image: `image` is null when not even the manifest could be had, `problem` says what is wrong. */
export interface InspectionReport {
  readonly reference: string;
  readonly image: ResolvedImage | null;
  readonly inspected: InspectedImage | null;
  readonly problem: ProvisionError | null;
  /** The same as plain data. */
  readonly json: Readonly<Record<string, unknown>>;
}

/** Looks at an image without a disk: the manifest, and the first bytes of every layer. */
export async function inspectReference(reference: string, options: InspectReferenceOptions): Promise<InspectionReport> {
  let image: ResolvedImage | null = null;
  let inspected: InspectedImage | null = null;
  let problem: ProvisionError | null = null;
  const controller = new AbortController();
  const source = await openImageSource(reference, { ...options, signal: controller.signal });
  try {
    inspected = await inspectImage(source, {
      platform: options.platform,
      maxWindowBytes: await maxWindowBytes(),
      signal: controller.signal,
      onResolved: (resolved) => {
        image = resolved;
      },
    });
  } catch (error) {
    problem = asProvisionError(error);
  } finally {
    await source.close();
  }
  return { reference, image, inspected, problem, json: toJson(reference, image, inspected, problem) };
}

function toJson(
  reference: string,
  image: ResolvedImage | null,
  inspected: InspectedImage | null,
  problem: ProvisionError | null,
): Record<string, unknown> {
  return {
    reference,
    provisionable: problem === null,
    problem: problem === null ? null : { code: problem.code, kind: problem.kind, message: problem.message },
    manifest_digest: image?.manifestDigest ?? null,
    index_digest: image?.indexDigest ?? null,
    media_type: image?.mediaType ?? null,
    platform: image?.platform ?? null,
    labels: image?.labels ?? {},
    layers: (image?.layers ?? []).map((layer) => {
      const probed = [inspected?.disk, ...(inspected?.layers ?? [])].find((one) => one?.layer.index === layer.index);
      return {
        index: layer.index,
        digest: layer.digest,
        diff_id: layer.diffId,
        media_type: layer.mediaType,
        size_bytes: layer.sizeBytes,
        codec: probed?.codec.codec ?? null,
        window_bytes: probed?.codec.windowBytes ?? null,
        unpacked_bytes: image === null || probed === undefined ? null : unpackedBytesOf(image, probed),
      };
    }),
    disk: inspected === null ? null : diskToJson(inspected),
  };
}

function diskToJson(inspected: InspectedImage): Record<string, unknown> {
  const { disk } = inspected;
  return {
    form: disk.fileCodec === null ? 'raw' : 'tar',
    size_bytes: disk.diskBytes,
    sector_bytes: disk.gpt.sectorBytes,
    partitions: disk.gpt.partitions.map((partition) => ({
      number: partition.number,
      name: partition.name,
      type_guid: partition.typeGuid,
      offset_bytes: partition.firstLba * disk.gpt.sectorBytes,
      size_bytes: (partition.lastLba - partition.firstLba + 1) * disk.gpt.sectorBytes,
    })),
  };
}
