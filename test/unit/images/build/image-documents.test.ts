import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseImageConfig, parseManifest } from '../../../../core/oci/parse-manifest.ts';
import {
  type BuiltLayer,
  configDocument,
  manifestDocument,
  toJson,
  unpackedLabel,
} from '../../../../images/build/image-documents.ts';
import { layerMediaType } from '../../../../images/build/image-media-types.ts';

const platform = { os: 'linux', architecture: 'amd64' };

function layer(name: string): BuiltLayer {
  const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;
  return {
    mediaType: layerMediaType('tar', 'zstd'),
    digest: digest(name),
    sizeBytes: 7,
    diffId: digest(name),
    createdBy: name,
  };
}

test('manifest and config are what our own parser reads, layers in order', () => {
  const layers = [{ ...layer('1'), mediaType: layerMediaType('disk', 'zstd') }, layer('2')];
  const config = toJson(
    configDocument({
      platform,
      base: null,
      layers,
      inherited: { first: 0, count: 0 },
      labels: { b: '2', a: '1' },
      createdAt: null,
    }),
  );
  const manifest = parseManifest(toJson(manifestDocument(config, layers)), null, 'the manifest');
  assert.equal(manifest.kind, 'manifest');
  if (manifest.kind !== 'manifest') return;
  assert.deepEqual(
    manifest.layers.map(({ mediaType, digest }) => [mediaType, digest.at(-1)]),
    [
      ['application/vnd.durantic.disk.raw.v1+zstd', '1'],
      ['application/vnd.oci.image.layer.v1.tar+zstd', '2'],
    ],
  );
  assert.equal(manifest.config.sizeBytes, config.length);
  const parsed = parseImageConfig(config, 'the config');
  assert.deepEqual(
    parsed.diffIds,
    layers.map(({ diffId }) => diffId),
  );
  assert.deepEqual(Object.entries(parsed.labels), [
    ['a', '1'],
    ['b', '2'],
  ]);
  assert.ok(!config.toString().includes('created"'), 'no time without SOURCE_DATE_EPOCH');
});

test('what a base image says of itself is kept; its history stands where its layers do', () => {
  const base = {
    created: '2020-01-01T00:00:00Z',
    'os.version': '1',
    config: { Env: ['A=b'], Labels: { old: 'yes' } },
    history: [
      { created_by: 'base', comment: 'kept' },
      { created_by: 'ENV A=b', empty_layer: true },
    ],
  };
  const document = configDocument({
    ...{ platform: { ...platform, variant: 'v3' }, base, layers: [layer('1'), layer('2'), layer('3')] },
    inherited: { first: 1, count: 1 },
    labels: { old: 'yes', new: 'yes' },
    createdAt: 86_400,
  });
  assert.equal(document['created'], '1970-01-02T00:00:00.000Z');
  assert.equal(document['os.version'], '1');
  assert.equal(document['variant'], 'v3');
  assert.deepEqual(document.config, { Env: ['A=b'], Labels: { new: 'yes', old: 'yes' } });
  assert.deepEqual(
    document.history?.map((entry) => (entry as { created_by: string }).created_by),
    ['1', 'base', 'ENV A=b', '3'],
  );
});

test('the label of a layer has the first twelve digits of its diffID', () => {
  assert.equal(unpackedLabel(`sha256:0123456789abcdef${'0'.repeat(48)}`), 'durantic.unpacked.0123456789ab');
});
