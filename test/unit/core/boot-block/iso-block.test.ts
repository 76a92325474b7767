import assert from 'node:assert/strict';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { findIsoBlock } from '../../../../core/boot-block/find-iso-block.ts';
import { decodeIsoBlock, encodeIsoBlock, isoBlockBytes, isoBlockMagic } from '../../../../core/boot-block/iso-block.ts';
import { Resources } from '../../../resources.ts';

const settings = { server: 'https://10.0.0.5:8443', pin: `sha256:${'ab'.repeat(32)}`, token: 'eyJ.S3CR3T' };

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ProvisionError && error.code === 'iso_block_invalid', String(error));
    assert.equal(error.cause, undefined);
    return error.message;
  }
  assert.fail('nothing was thrown');
}

test('settings are read back from their block, also none at all', () => {
  for (const each of [settings, {}, { server: 'https://a' }, { token: 'x'.repeat(4000) }]) {
    const block = encodeIsoBlock(each);
    assert.equal(block.byteLength, isoBlockBytes);
    assert.deepEqual(decodeIsoBlock(block), each);
  }
});

test('settings that do not fit are refused', () => {
  assert.match(
    refusal(() => encodeIsoBlock({ token: 'x'.repeat(4096) })),
    /longer than the 4064 bytes/,
  );
});

test('any change of a block is found, and no message shows its contents', () => {
  const block = encodeIsoBlock(settings);
  fc.assert(
    fc.property(fc.nat(isoBlockBytes - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const changed = Buffer.from(block);
      changed[at] = (changed[at] ?? 0) ^ change;
      assert.doesNotMatch(
        refusal(() => decodeIsoBlock(changed)),
        /S3CR3T/,
      );
    }),
  );
  for (const length of [0, 15, 4095]) refusal(() => decodeIsoBlock(block.subarray(0, length)));
});

test('the source does not hold the magic, so that no program that carries it is taken for the block', async () => {
  const { readFile } = await import('node:fs/promises');
  const source = await readFile(join(import.meta.dirname, '../../../../core/boot-block/iso-block.ts'));
  assert.equal(source.includes(isoBlockMagic), false);
});

async function search(pieces: readonly (readonly [number, Uint8Array])[], sizeBytes: number): Promise<number> {
  await using resources = new Resources();
  const bytes = Buffer.alloc(sizeBytes);
  for (const [offset, piece] of pieces) bytes.set(piece, offset);
  const path = join(resources.tempDir(), 'installer.iso');
  await writeFile(path, bytes);
  await using iso = await open(path, 'r');
  return await findIsoBlock(iso);
}

test('the block is found wherever it begins at a sector, across the bounds of what is read at once', async () => {
  const block = encodeIsoBlock({});
  const chunk = 4 * 1024 * 1024;
  for (const offset of [0, 2048, chunk - 2048, chunk, 2 * chunk - 4096]) {
    assert.equal(await search([[offset, block]], 2 * chunk), offset);
  }
  // A copy of the magic in other data, even at a sector, is not the block.
  assert.equal(
    await search(
      [
        [2048, isoBlockMagic],
        [100 * 2048 + 7, block],
        [8192, block],
      ],
      chunk,
    ),
    8192,
  );
});

test('no block, a damaged one and two are told apart', async () => {
  const block = encodeIsoBlock({});
  const cut = Buffer.from(block);
  cut[40] = 1;
  await assert.rejects(search([], 65536), /it is no installer ISO/);
  await assert.rejects(search([[4096, cut]], 65536), /its CRC is another/);
  await assert.rejects(search([[63488, block.subarray(0, 2048)]], 65536), /no block with settings here/);
  await assert.rejects(
    search(
      [
        [2048, block],
        [16384, block],
      ],
      65536,
    ),
    /more than one block/,
  );
});
