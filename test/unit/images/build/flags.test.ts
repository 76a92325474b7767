import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBuildTarget } from '../../../../images/build/build-target.ts';
import { type ImageBuildFlags, parseLabels, toBuildOptions } from '../../../../images/build/run-image-build.ts';

const flags: ImageBuildFlags = {
  diskLayer: 'raw',
  layer: [],
  to: 'oci:out',
  compress: 'zstd',
  label: [],
  platform: { os: 'linux', architecture: 'amd64' },
};
const { signal } = new AbortController();

test('targets are layouts with a tag and registry references without a digest', () => {
  assert.deepEqual(parseBuildTarget('oci:some/dir'), { kind: 'layout', dir: 'some/dir', tag: 'latest' });
  assert.deepEqual(parseBuildTarget('oci:/dir:12'), { kind: 'layout', dir: '/dir', tag: '12' });
  assert.deepEqual(parseBuildTarget('docker://registry.example:5000/os/debian'), {
    kind: 'registry',
    reference: 'registry.example:5000/os/debian:latest',
  });
  assert.throws(() => parseBuildTarget('some/dir'), { code: 'usage' });
  assert.throws(() => parseBuildTarget(`docker://registry.example/a@sha256:${'0'.repeat(64)}`), { code: 'usage' });
  assert.throws(() => parseBuildTarget('docker://registry.example/UPPER'), { code: 'reference_invalid' });
});

test('labels are split at their first equals sign, and the last of a key counts', () => {
  assert.deepEqual(parseLabels(['a=b=c', 'd=', 'a=x']), { a: 'x', d: '' });
  assert.throws(() => parseLabels(['novalue']), { code: 'usage', message: /novalue/ });
  assert.throws(() => parseLabels(['=x']), { code: 'usage' });
});

test('flags become options; what is not given is null', () => {
  const options = toBuildOptions(flags, {}, signal);
  assert.equal(options.disk, null);
  assert.equal(options.sectorBytes, null);
  assert.equal(options.root, null);
  assert.equal(options.sourceDateEpoch, null);
  assert.equal(options.plainHttp, false);
  const full = toBuildOptions(
    { ...flags, makeDisk: true, sectorSize: '4096', root: 'r', from: 'f', registryCa: 'ca', plainHttp: true },
    { SOURCE_DATE_EPOCH: '17' },
    signal,
  );
  assert.deepEqual([full.disk, full.sectorBytes, full.root, full.from], [{ kind: 'make' }, 4096, 'r', 'f']);
  assert.deepEqual([full.registryCaFile, full.plainHttp, full.sourceDateEpoch], ['ca', true, 17]);
  assert.deepEqual(toBuildOptions({ ...flags, disk: 'd.raw' }, {}, signal).disk, { kind: 'file', file: 'd.raw' });
  assert.throws(() => toBuildOptions(flags, { SOURCE_DATE_EPOCH: 'yesterday' }, signal), { code: 'usage' });
});
