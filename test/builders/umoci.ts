import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { runCommand } from '../../core/base/run-command.ts';
import type { Resources } from '../resources.ts';

/** Writes an OCI layout with one image, tag `latest`, whose layers are these tars, gzip-compressed. */
export function writeOciLayout(dir: string, layers: readonly Buffer[]): void {
  mkdirSync(join(dir, 'blobs/sha256'), { recursive: true });
  const put = (bytes: Buffer): { digest: string; size: number } => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(dir, 'blobs/sha256', hex), bytes);
    return { digest: `sha256:${hex}`, size: bytes.length };
  };
  const putJson = (value: unknown): { digest: string; size: number } => put(Buffer.from(JSON.stringify(value)));
  const diffIds = layers.map((layer) => `sha256:${createHash('sha256').update(layer).digest('hex')}`);
  const config = putJson({
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: layers.map(() => ({ created_by: 'test' })),
  });
  const manifest = putJson({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...config },
    layers: layers.map((layer) => ({
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      ...put(gzipSync(layer, { level: 1 })),
    })),
  });
  const descriptor = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    ...manifest,
    annotations: { 'org.opencontainers.image.ref.name': 'latest' },
  };
  writeFileSync(join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
  writeFileSync(join(dir, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}

export interface UmociOptions {
  /** Where the layout and the bundle are made; default a new folder. Must support trusted and security xattrs. */
  readonly dir?: string;
}

/**
 * The tree that umoci makes of these layers: the path of its rootfs.
 * @throws ProvisionError `tool_failed` when umoci refuses them.
 */
export async function umociUnpack(
  resources: Resources,
  layers: readonly Buffer[],
  options: UmociOptions = {},
): Promise<string> {
  const dir = options.dir ?? resources.tempDir('durantic-umoci-');
  const layout = join(dir, 'layout');
  const bundle = join(dir, 'bundle');
  writeOciLayout(layout, layers);
  await runCommand('umoci', ['unpack', '--image', `${layout}:latest`, bundle]);
  return join(bundle, 'rootfs');
}
