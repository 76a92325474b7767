import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { openLayoutSource } from '../../../../core/oci/layout-source.ts';
import type { Platform, ResolvedImage } from '../../../../core/oci/types.ts';
import { type LayoutSpec, writeLayout } from '../../../builders/oci-image.ts';
import { OciLayoutWriter } from '../../../builders/oci-layout-writer.ts';
import { Resources } from '../../../resources.ts';

const amd64: Platform = { os: 'linux', architecture: 'amd64' };
const arm64: Platform = { os: 'linux', architecture: 'arm64' };
const { signal } = new AbortController();
const layer = { bytes: Buffer.from('layer'), codec: 'gzip' } as const;

async function resolve(dir: string, tag: string | null = 'latest', platform = amd64): Promise<ResolvedImage> {
  const source = await openLayoutSource(dir, tag);
  return await source.resolve(platform, { signal });
}

async function resolveSpec(resources: Resources, spec: Partial<LayoutSpec>, platform = amd64): Promise<ResolvedImage> {
  const { dir } = await writeLayout(resources.tempDir(), { layers: [layer], ...spec });
  return await resolve(dir, 'latest', platform);
}

function code(...expected: string[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ProvisionError && expected.includes(error.code), String(error));
    return true;
  };
}

for (const docker of [false, true]) {
  test(`${docker ? 'a Docker schema 2' : 'an OCI'} image is resolved with layers, diffIDs, labels and platform`, async () => {
    await using resources = new Resources();
    const layout = await writeLayout(resources.tempDir(), {
      layers: [layer, { bytes: Buffer.from('second'), codec: 'none' }],
      labels: { 'durantic.root.type': 'ext4' },
      docker,
    });
    const image = await resolve(layout.dir);
    assert.equal(image.manifestDigest, layout.manifest.digest);
    assert.equal(image.indexDigest, null);
    assert.equal(image.mediaType, layout.manifest.mediaType);
    assert.deepEqual(image.platform, amd64);
    assert.deepEqual(image.labels, { 'durantic.root.type': 'ext4' });
    assert.deepEqual(
      image.layers.map(({ index, digest, sizeBytes, diffId }) => ({ index, digest, sizeBytes, diffId })),
      layout.layers.map(({ digest, sizeBytes, diffId }, index) => ({ index, digest, sizeBytes, diffId })),
    );
    assert.deepEqual(image.notes, []);
  });
}

test('an index is resolved by platform, attestations ignored, nested once', async () => {
  await using resources = new Resources();
  for (const index of [{}, { nested: true }, { docker: true }]) {
    const others = [{ layers: [layer], platform: arm64, labels: { is: 'arm64' } }];
    const spec = { layers: [layer], labels: { is: 'amd64' }, index: { ...index, others, attestations: true } };
    const layout = await writeLayout(resources.tempDir(), spec);
    assert.deepEqual((await resolve(layout.dir)).labels, { is: 'amd64' });
    const arm = await resolve(layout.dir, 'latest', { os: 'linux', architecture: 'aarch64', variant: 'v8' });
    assert.deepEqual(arm.labels, { is: 'arm64' });
    assert.equal(arm.indexDigest, layout.indexDigest);
  }
});

test('an index nested twice is refused', async () => {
  await using resources = new Resources();
  const writer = new OciLayoutWriter(resources.tempDir());
  let index = (await writer.putImage({ layers: [layer] })).manifest;
  for (let depth = 0; depth < 3; depth += 1) index = await writer.putIndex([{ descriptor: index }]);
  await writer.addTag('latest', { descriptor: index });
  await assert.rejects(resolve(writer.dir), code('manifest_unsupported'));
});

test('a platform that is not there is an error that lists what is, attestations not', async () => {
  await using resources = new Resources();
  const wanted = { os: 'linux', architecture: 's390x' };
  const attempt = resolveSpec(
    resources,
    { index: { attestations: true, others: [{ layers: [layer], platform: arm64 }] } },
    wanted,
  );
  await assert.rejects(attempt, (error) => {
    code('platform_not_found')(error);
    assert.deepEqual((error as ProvisionError).facts['available'], ['linux/arm64', 'linux/amd64']);
    return true;
  });
  await assert.rejects(resolveSpec(resources, { platform: arm64 }), code('platform_not_found'));
});

test('several entries of a layout are chosen by tag, then by platform', async () => {
  await using resources = new Resources();
  const writer = new OciLayoutWriter(resources.tempDir());
  for (const [tag, platform] of [
    ['a', amd64],
    ['a', arm64],
    ['b', amd64],
  ] as const) {
    const { manifest } = await writer.putImage({
      layers: [layer],
      platform,
      labels: { tag, architecture: platform.architecture },
    });
    await writer.addTag(tag, { descriptor: manifest, platform });
  }
  const labels = async (tag: string | null, platform: Platform) => (await resolve(writer.dir, tag, platform)).labels;
  assert.deepEqual(await labels('a', arm64), { tag: 'a', architecture: 'arm64' });
  assert.deepEqual(await labels('b', amd64), { tag: 'b', architecture: 'amd64' });
  assert.deepEqual(await labels(null, arm64), { tag: 'a', architecture: 'arm64' });
  await assert.rejects(
    resolve(writer.dir, 'c'),
    (error) => code('image_not_found')(error) && /a, a, b/.test(String(error)),
  );
});

test('diff_ids may lack for an image of one layer only, and any other count is an error', async () => {
  await using resources = new Resources();
  const alone = await resolveSpec(resources, { diffIds: [] });
  assert.equal(alone.layers[0]?.diffId, null);
  assert.match(alone.notes.join(), /no diff_ids/);
  const two = [layer, layer];
  const digest = `sha256:${'1'.repeat(64)}`;
  await assert.rejects(resolveSpec(resources, { layers: two, diffIds: [] }), code('manifest_invalid'));
  await assert.rejects(resolveSpec(resources, { layers: two, diffIds: [digest] }), code('manifest_invalid'));
  await assert.rejects(resolveSpec(resources, { diffIds: [digest, digest] }), code('manifest_invalid'));
});

test('a config without a platform is taken, with a note', async () => {
  await using resources = new Resources();
  const image = await resolveSpec(resources, { platform: null });
  assert.deepEqual(image.platform, amd64);
  assert.match(image.notes.join(), /names no platform/);
});

test('foreign and encrypted layers are refused by name', async () => {
  await using resources = new Resources();
  for (const mediaType of [
    'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    'application/vnd.oci.image.layer.v1.tar+gzip+encrypted',
  ]) {
    await assert.rejects(resolveSpec(resources, { layers: [{ ...layer, mediaType }] }), (error) => {
      return code('manifest_unsupported')(error) && /layer 0/.test(String(error));
    });
  }
});

test('F08 altered manifests and configs are found', async () => {
  await using resources = new Resources();
  const cases = [
    ['manifest', {}],
    ['manifest', { index: {} }],
    ['config', {}],
  ] as const;
  for (const [part, wrapped] of cases) {
    const layout = await writeLayout(resources.tempDir(), { layers: [layer], ...wrapped });
    const file = new OciLayoutWriter(layout.dir).blobPath(layout[part].digest);
    writeFileSync(file, Buffer.alloc(layout[part].sizeBytes, ' '));
    await assert.rejects(resolve(layout.dir), code('digest_mismatch'));
    appendFileSync(file, ' ');
    await assert.rejects(resolve(layout.dir), code('size_mismatch'));
  }
});

const documents: readonly (readonly [string, object, string])[] = [
  ['schema 1', { schemaVersion: 1, name: 'x', fsLayers: [] }, 'manifest_unsupported'],
  ['an index with layers', { schemaVersion: 2, manifests: [], layers: [] }, 'manifest_invalid'],
  ['a Helm chart index', { apiVersion: 'v1', schemaVersion: 2 }, 'manifest_unsupported'],
  ['a manifest without a version', { config: {}, layers: [] }, 'manifest_invalid'],
  ['a traversal in a digest', withLayer({ digest: 'sha256:../../etc/passwd' }), 'manifest_invalid'],
  ['a negative size', withLayer({ size: -1 }), 'manifest_invalid'],
  ['a size that is no integer', withLayer({ size: 1e300 }), 'manifest_invalid'],
];

function withLayer(changes: object): object {
  const blob = { mediaType: 'x', digest: `sha256:${'0'.repeat(64)}`, size: 1 };
  return { schemaVersion: 2, config: blob, layers: [{ ...blob, ...changes }] };
}

for (const [name, document, expected] of documents) {
  test(`${name} is refused as ${expected}`, async () => {
    await using resources = new Resources();
    const writer = new OciLayoutWriter(resources.tempDir());
    await writer.addTag('latest', { descriptor: await writer.putJson(document, '') });
    await assert.rejects(resolve(writer.dir), code(expected));
  });
}

test('a document that says it is something else than its descriptor says is refused (CVE-2021-41190)', async () => {
  await using resources = new Resources();
  const writer = new OciLayoutWriter(resources.tempDir());
  const { manifest } = await writer.putImage({ layers: [layer] });
  await writer.addTag('latest', { descriptor: { ...manifest, mediaType: 'application/vnd.oci.image.index.v1+json' } });
  await assert.rejects(resolve(writer.dir), code('manifest_invalid'));
});

test('a manifest that is not JSON, or is too large, is refused', async () => {
  await using resources = new Resources();
  for (const bytes of [
    Buffer.from('{'),
    Buffer.from('[]'),
    Buffer.from([0xff, 0xfe]),
    Buffer.alloc(5 * 1024 * 1024, ' '),
  ]) {
    const writer = new OciLayoutWriter(resources.tempDir());
    await writer.addTag('latest', { descriptor: await writer.putBlob(bytes, '') });
    await assert.rejects(resolve(writer.dir), code('manifest_invalid'));
  }
});
