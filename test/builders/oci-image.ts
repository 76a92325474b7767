import { type ImageSpec, OciLayoutWriter, type WrittenImage } from './oci-layout-writer.ts';

export type { ImageSpec, LayerSpec, WrittenImage, WrittenLayer } from './oci-layout-writer.ts';

export interface LayoutSpec extends ImageSpec {
  /** Default `latest`. */
  readonly tag?: string;
  /** Wraps the image into an index: with other platforms' images, and with attestations as BuildKit makes them. */
  readonly index?: {
    readonly others?: readonly ImageSpec[];
    readonly attestations?: boolean;
    readonly nested?: boolean;
    readonly docker?: boolean;
  };
}

export interface WrittenLayout extends WrittenImage {
  readonly dir: string;
  readonly tag: string;
  /** `oci:DIR:TAG`, for our own programs and skopeo. */
  readonly reference: string;
  readonly indexDigest: string | null;
}

/**
 * Writes an OCI layout with one tagged image into `dir`:
 * `writeLayout(dir, {layers: [{bytes, codec: 'zstd'}, {file: 'root.tar', codec: 'gzip'}], labels})`.
 */
export async function writeLayout(dir: string, spec: LayoutSpec): Promise<WrittenLayout> {
  const writer = new OciLayoutWriter(dir);
  const tag = spec.tag ?? 'latest';
  const image = await writer.putImage(spec);
  const result = { ...image, dir, tag, reference: `oci:${dir}:${tag}` };
  if (!spec.index) {
    await writer.addTag(tag, { descriptor: image.manifest });
    return { ...result, indexDigest: null };
  }
  const entries = [];
  if (spec.index.attestations) entries.push(await writer.putAttestation(image.manifest));
  for (const other of spec.index.others ?? []) {
    entries.push({ descriptor: (await writer.putImage(other)).manifest, platform: platformOf(other) });
  }
  entries.push({ descriptor: image.manifest, platform: platformOf(spec) });
  let index = await writer.putIndex(entries, spec.index);
  if (spec.index.nested) index = await writer.putIndex([{ descriptor: index }], spec.index);
  await writer.addTag(tag, { descriptor: index });
  return { ...result, indexDigest: index.digest };
}

function platformOf(spec: ImageSpec) {
  return spec.platform === undefined ? { os: 'linux', architecture: 'amd64' } : spec.platform;
}
