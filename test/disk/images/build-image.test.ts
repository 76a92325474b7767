import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { type BuildImageOptions, type BuiltImage, buildImage } from '../../../images/build/build-image.ts';
import { startRegistry } from '../../builders/registry.ts';
import { Resources } from '../../resources.ts';
import { diffTrees, readTree } from '../../tree.ts';
import { makeTree, smallDisk } from './build-inputs.ts';

const defaults = {
  disk: null,
  diskForm: 'raw',
  sectorBytes: null,
  root: null,
  from: null,
  layers: [],
  codec: 'gzip',
  labels: {},
  platform: { os: 'linux', architecture: 'amd64' },
  plainHttp: false,
  registryCaFile: null,
  sourceDateEpoch: null,
  signal: new AbortController().signal,
} as const satisfies Partial<BuildImageOptions>;

async function build(options: Partial<BuildImageOptions> & { to: string }): Promise<BuiltImage> {
  return await buildImage({ ...defaults, ...options });
}

function blobs(layout: string): string[] {
  return readdirSync(join(layout, 'blobs/sha256')).sort();
}

test('a folder becomes a layer with everything in it: umoci unpacks an equal tree', async () => {
  await using resources = new Resources();
  const root = await makeTree(resources);
  const layout = join(root, '../layout');
  const image = await build({ disk: { kind: 'make' }, diskForm: 'tar', root, to: `oci:${layout}:test` });
  assert.deepEqual(
    image.layers.map(({ mediaType }) => mediaType),
    Array(2).fill('application/vnd.oci.image.layer.v1.tar+gzip'),
  );
  const bundle = join(root, '../bundle');
  await runCommand('umoci', ['unpack', '--image', `${layout}:test`, bundle]);
  const unpacked = join(bundle, 'rootfs');
  // Layer 0 in its tar form is a file for umoci; an installer takes it for the disk.
  assert.ok(statSync(join(unpacked, 'disk.raw.gz')).size < 5_000_000);
  rmSync(join(unpacked, 'disk.raw.gz'));
  // Taking that file away has changed the time of its folder.
  const skip = (path: string, field: string): boolean => path === '.' && field === 'mtimeNs';
  assert.deepEqual(diffTrees(readTree(root), readTree(unpacked), { skip }), []);
  const unpackedBytes = Number(image.labels[`durantic.unpacked.${image.layers[1]?.diffId.slice(7, 19)}`]);
  assert.ok(unpackedBytes < 100_000, `the holes of a 10 MB file travel as holes: ${unpackedBytes} bytes`);
});

test('the same input gives the same image, and SOURCE_DATE_EPOCH is the latest time in it', async () => {
  await using resources = new Resources();
  const root = await makeTree(resources);
  const [first, second] = [resources.tempDir(), resources.tempDir()];
  const disk = smallDisk(resources);
  for (const codec of ['zstd', 'gzip', 'none'] as const) {
    const options = { disk, root, codec } as const;
    const a = await build({ ...options, to: `oci:${first}:${codec}` });
    const b = await build({ ...options, to: `oci:${second}:${codec}` });
    assert.equal(a.manifestDigest, b.manifestDigest, codec);
  }
  assert.deepEqual(blobs(first), blobs(second));
  const clamp = async (dir: string): Promise<string> =>
    (await build({ disk, root, sourceDateEpoch: 1_000_000_000, to: `oci:${dir}:clamped` })).manifestDigest;
  const before = await clamp(first);
  utimesSync(join(root, 'empty'), 1_500_000_000, 1_500_000_000);
  assert.equal(await clamp(second), before, 'later times are all the same');
  utimesSync(join(root, 'empty'), 900_000_000, 900_000_000);
  assert.notEqual(await clamp(second), before, 'earlier ones are kept');
});

test('labels tell what a plan wants to know; a derived image inherits layers and labels byte for byte', async () => {
  await using resources = new Resources();
  const root = join(resources.tempDir(), 'root');
  await mkdir(root);
  writeFileSync(join(root, 'big'), Buffer.alloc(100_000, 7));
  const layout = resources.tempDir();
  const options = { disk: { kind: 'make' }, root, codec: 'zstd', labels: { mine: 'base' } } as const;
  const base = await build({ ...options, to: `oci:${layout}:base` });
  const [disk, tar] = base.layers;
  assert.deepEqual(
    [disk?.mediaType, tar?.mediaType],
    ['application/vnd.durantic.disk.raw.v1+zstd', 'application/vnd.oci.image.layer.v1.tar+zstd'],
  );
  assert.ok((disk?.sizeBytes ?? 0) < 5_000_000);
  assert.deepEqual(base.labels, {
    'durantic.disk.bytes': String(522 * 1024 * 1024 + 1024 * 1024),
    'durantic.disk.sector-size': '512',
    'durantic.root.type': 'ext4',
    [`durantic.unpacked.${tar?.diffId.slice(7, 19)}`]: String(4096 + 102_400),
    mine: 'base',
  });
  const shown = JSON.parse((await runCommand('skopeo', ['inspect', `oci:${layout}:base`])).stdout);
  assert.deepEqual(shown.Labels, base.labels);
  assert.equal(shown.Digest, base.manifestDigest);

  const other = resources.tempDir();
  const derived = await build({
    from: `oci:${layout}:base`,
    layers: [root],
    labels: { mine: 'new' },
    to: `oci:${other}:x`,
  });
  assert.deepEqual(
    derived.layers.slice(0, 2).map(({ digest }) => digest),
    base.layers.map(({ digest }) => digest),
  );
  assert.equal(derived.layers[2]?.mediaType, 'application/vnd.oci.image.layer.v1.tar+gzip');
  assert.equal(derived.labels['mine'], 'new');
  assert.equal(derived.labels['durantic.disk.bytes'], base.labels['durantic.disk.bytes']);
  for (const { digest } of base.layers) {
    const name = join('blobs/sha256', digest.slice(7));
    assert.ok(readFileSync(join(layout, name)).equals(readFileSync(join(other, name))));
  }
  const twice = { from: `oci:${other}:x`, disk: { kind: 'make' }, to: `oci:${other}:y` } as const;
  await assert.rejects(build(twice), { code: 'image_build_failed', message: /has a layer 0 already/ });
});

test('F08 a base layer that is not what its digest says stops the build, and nothing is tagged', async () => {
  await using resources = new Resources();
  const [layout, other] = [resources.tempDir(), resources.tempDir()];
  const base = await build({ disk: smallDisk(resources), to: `oci:${layout}:base` });
  const blob = join(layout, 'blobs/sha256', base.layers[0]?.digest.slice(7) ?? '');
  const bytes = readFileSync(blob);
  bytes[500] = (bytes[500] ?? 0) ^ 1;
  writeFileSync(blob, bytes);
  await assert.rejects(build({ from: `oci:${layout}:base`, to: `oci:${other}:x` }), { code: 'digest_mismatch' });
  assert.deepEqual(readdirSync(other).sort(), ['blobs', 'oci-layout']);
});

test('a given disk is taken as it is: compressed ones byte for byte, wrong ones refused', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const layout = resources.tempDir();
  const made = await build({ disk: smallDisk(resources, 4096), codec: 'zstd', to: `oci:${layout}:made` });
  const [disk] = made.layers;
  const file = join(dir, 'disk.raw.zst');
  writeFileSync(file, readFileSync(join(layout, 'blobs/sha256', disk?.digest.slice(7) ?? '')));
  const given = await build({ disk: { kind: 'file', file }, codec: 'zstd', to: `oci:${layout}:given` });
  assert.equal(given.layers[0]?.digest, disk?.digest);
  assert.equal(given.labels['durantic.disk.sector-size'], '4096');
  const changed = await build({ disk: { kind: 'file', file }, codec: 'none', to: `oci:${layout}:plain` });
  assert.equal(changed.layers[0]?.digest, disk?.diffId);
  const failed = async (options: Partial<BuildImageOptions>, message: RegExp): Promise<void> => {
    const target = resources.tempDir();
    await assert.rejects(build({ ...options, to: `oci:${target}:x` }), { code: 'image_build_failed', message });
    assert.deepEqual(readdirSync(target).sort(), ['blobs', 'oci-layout'], 'no draft and no tag is left');
  };
  await failed({ disk: { kind: 'file', file }, sectorBytes: 512 }, /4096-byte sectors, and --sector-size says 512/);
  await failed({ disk: { kind: 'file', file: join(dir, 'none') } }, /does not exist/);
  await failed({ disk: smallDisk(resources), root: file }, /is not a whole tar archive/);
  const short = join(dir, 'short.raw');
  writeFileSync(short, readFileSync(join(layout, 'blobs/sha256', changed.layers[0]?.digest.slice(7) ?? '')));
  truncateSync(short, 3_000_000);
  await failed({ disk: { kind: 'file', file: short } }, /is not a whole raw disk/);
});

test('a layout keeps its other tags, a tag is replaced, and a folder that is no layout is refused', async () => {
  await using resources = new Resources();
  const layout = resources.tempDir();
  const tags = (): string[] =>
    JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')).manifests.map(
      (entry: { annotations: Record<string, string> }) => entry.annotations['org.opencontainers.image.ref.name'],
    );
  await build({ disk: smallDisk(resources), to: `oci:${layout}:a` });
  await build({ disk: smallDisk(resources), to: `oci:${layout}:b` });
  await build({ disk: smallDisk(resources), labels: { x: 'y' }, to: `oci:${layout}:a` });
  assert.deepEqual(tags(), ['b', 'a']);
  const shown = JSON.parse((await runCommand('skopeo', ['inspect', `oci:${layout}:a`])).stdout);
  assert.equal(shown.Labels.x, 'y');
  writeFileSync(join(layout, 'index.json'), 'not JSON');
  await assert.rejects(build({ disk: smallDisk(resources), to: `oci:${layout}:a` }), { code: 'image_build_failed' });
});

test('an image goes to a registry and is built on from there, digests unchanged', async () => {
  await using resources = new Resources();
  const registry = await startRegistry(resources);
  const layout = resources.tempDir();
  for (const codec of ['zstd', 'none'] as const) {
    const to = `docker://${registry.host}/os/base:${codec}`;
    const pushed = await build({ disk: smallDisk(resources), codec, to, plainHttp: true });
    const reference = `${registry.host}/os/base:${codec}`;
    assert.equal(pushed.reference, reference);
    const shown = JSON.parse(
      (await runCommand('skopeo', ['inspect', '--tls-verify=false', `docker://${reference}`])).stdout,
    );
    assert.equal(shown.Digest, pushed.manifestDigest);
    const derived = await build({ from: reference, to: `oci:${layout}:${codec}`, plainHttp: true });
    assert.deepEqual(
      derived.layers.map(({ digest }) => digest),
      pushed.layers.map(({ digest }) => digest),
    );
  }
  await assert.rejects(
    build({ disk: smallDisk(resources), to: `docker://${registry.host}/os/base`, plainHttp: false }),
    {
      code: 'registry_error',
      message: /could not be pushed to/,
    },
  );
});

test('a build that is interrupted says so and leaves no draft', async () => {
  await using resources = new Resources();
  const layout = resources.tempDir();
  const controller = new AbortController();
  const building = build({
    ...{ disk: smallDisk(resources), root: '/usr/share', to: `oci:${layout}:x`, signal: controller.signal },
    onProgress: (message) => {
      if (message.startsWith('packing')) setImmediate(() => controller.abort());
    },
  });
  await assert.rejects(building, { code: 'aborted' });
  assert.deepEqual(readdirSync(layout).sort(), ['blobs', 'oci-layout']);
});
