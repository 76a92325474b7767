import assert from 'node:assert/strict';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { openLayoutSource } from '../../../../core/oci/layout-source.ts';
import type { Platform, ResolvedImage } from '../../../../core/oci/types.ts';
import { writeLayout } from '../../../builders/oci-image.ts';
import { OciLayoutWriter } from '../../../builders/oci-layout-writer.ts';
import { Resources } from '../../../resources.ts';

const amd64: Platform = { os: 'linux', architecture: 'amd64' };
const { signal } = new AbortController();
const layer = { bytes: Buffer.from('layer'), codec: 'gzip' } as const;

async function resolve(dir: string): Promise<ResolvedImage> {
  const source = await openLayoutSource(dir, 'latest');
  return await source.resolve(amd64, { signal });
}

function code(...expected: string[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ProvisionError && expected.includes(error.code), String(error));
    return true;
  };
}

test('a folder that is no layout is said to be none', async () => {
  await using resources = new Resources();
  await assert.rejects(resolve(resources.tempDir()), code('image_not_found'));
  await assert.rejects(resolve('/nowhere'), code('image_not_found'));
  const layout = await writeLayout(resources.tempDir(), { layers: [layer] });
  writeFileSync(join(layout.dir, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}');
  await assert.rejects(resolve(layout.dir), code('manifest_unsupported'));
});

test('blobs of a layout are read whole or in part, and a wrong size is an error', async () => {
  await using resources = new Resources();
  const bytes = Buffer.from('0123456789');
  const layout = await writeLayout(resources.tempDir(), { layers: [{ bytes, codec: 'none' }] });
  const source = await openLayoutSource(layout.dir, 'latest');
  const [blob] = (await source.resolve(amd64, { signal })).layers;
  assert.ok(blob);
  const read = async (part: { offsetBytes?: number; lengthBytes?: number }) =>
    Buffer.concat(await source.openBlob(blob, { signal, ...part }).toArray()).toString();
  assert.equal(await read({}), '0123456789');
  assert.equal(await read({ offsetBytes: 3, lengthBytes: 4 }), '3456');
  assert.equal(await read({ offsetBytes: 10 }), '');
  await assert.rejects(read({ offsetBytes: 8, lengthBytes: 3 }), code('invariant'));
  const file = new OciLayoutWriter(layout.dir).blobPath(blob.digest);
  truncateSync(file, 9);
  await assert.rejects(read({}), (error) => code('size_mismatch')(error) && /layer 0.*9 bytes.*10/.test(String(error)));
});

test('an aborted read of a layout ends with the reason', async () => {
  await using resources = new Resources();
  const layout = await writeLayout(resources.tempDir(), { layers: [{ bytes: Buffer.alloc(5e6), codec: 'none' }] });
  const source = await openLayoutSource(layout.dir, 'latest');
  const controller = new AbortController();
  const image = await source.resolve(amd64, { signal });
  const [blob] = image.layers;
  assert.ok(blob);
  const reason = new ProvisionError('aborted', 'the operator said stop');
  await assert.rejects(async () => {
    for await (const _ of source.openBlob(blob, { signal: controller.signal })) controller.abort(reason);
  }, reason);
});
