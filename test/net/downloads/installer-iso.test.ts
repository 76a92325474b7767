import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { findIsoBlock } from '../../../core/boot-block/find-iso-block.ts';
import { decodeIsoBlock, encodeIsoBlock, isoBlockBytes, isoBlockPath } from '../../../core/boot-block/iso-block.ts';
import { collectingLogger } from '../../builders/collecting-logger.ts';
import { startTestServer } from '../../builders/server.ts';
import { Resources } from '../../resources.ts';

const isoPath = '/boot/installer.iso';
const token = 'eyJhbGciOiJkaXIifQ..S3CR3T.x.y';

/** An ISO 9660 image with Rock Ridge, files around the block, and the block where its builder puts it. */
async function makeIso(resources: Resources, block: Uint8Array | null): Promise<string> {
  const tree = resources.tempDir();
  mkdirSync(join(tree, 'boot'));
  mkdirSync(join(tree, 'durantic'));
  writeFileSync(join(tree, 'boot/vmlinuz'), randomBytes(3_000_001));
  writeFileSync(join(tree, 'durantic/before.bin'), randomBytes(70_000));
  if (block !== null) writeFileSync(join(tree, isoBlockPath), block);
  writeFileSync(join(tree, 'zz-after.bin'), randomBytes(2_000_001));
  const assetsDir = resources.tempDir();
  const iso = join(assetsDir, 'installer.iso');
  await runCommand('xorriso', ['-as', 'mkisofs', '-quiet', '-R', '-V', 'DURANTIC', '-o', iso, tree]);
  return assetsDir;
}

/** Where the ISO's own directory says that the block lies, bytes (xorriso's `report_lba`: start, blocks of 2048). */
async function blockByDirectory(iso: string): Promise<number> {
  const args = ['-indev', iso, '-find', isoBlockPath, '-exec', 'report_lba', '--'];
  const { stdout } = await runCommand('xorriso', args);
  const line = /^File data lba:\s*\d+ ,\s*(\d+) ,\s*(\d+) ,\s*(\d+) , /m.exec(stdout);
  assert.equal(Number(line?.[3]), isoBlockBytes, stdout);
  return Number(line?.[1]) * 2048;
}

test('the ISO is told of server, pin and token while it is served, and nothing else of it changes', async () => {
  await using resources = new Resources();
  const assetsDir = await makeIso(resources, encodeIsoBlock({}));
  const original = readFileSync(join(assetsDir, 'installer.iso'));
  const offset = await blockByDirectory(join(assetsDir, 'installer.iso'));
  {
    await using handle = await open(join(assetsDir, 'installer.iso'), 'r');
    assert.equal(await findIsoBlock(handle), offset);
  }
  const { log, lines } = collectingLogger();
  const server = await startTestServer(resources, { settings: { assetsDir }, log });
  const expected = { server: server.url, pin: server.pin };

  const plain = await server.fetch(isoPath);
  assert.equal(plain.status, 200);
  assert.equal(plain.headers.get('content-length'), String(original.byteLength));
  assert.equal(plain.headers.get('cache-control'), 'no-store');
  const plainBytes = Buffer.from(await plain.arrayBuffer());
  assert.deepEqual(decodeIsoBlock(plainBytes.subarray(offset, offset + isoBlockBytes)), expected);

  const file = join(resources.tempDir(), 'downloaded.iso');
  const response = await server.fetch(`${isoPath}?token=${token}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  writeFileSync(file, bytes);
  assert.notEqual(response.headers.get('etag'), plain.headers.get('etag'));
  // As whoever reads the medium sees it.
  const extracted = join(resources.tempDir(), 'settings.bin');
  await runCommand('xorriso', ['-osirrox', 'on', '-indev', file, '-extract', isoBlockPath, extracted]);
  assert.deepEqual(decodeIsoBlock(readFileSync(extracted)), { ...expected, token });
  bytes.set(original.subarray(offset, offset + isoBlockBytes), offset);
  assert.ok(bytes.equals(original), 'other bytes of the ISO have changed');
  assert.ok(readFileSync(join(assetsDir, 'installer.iso')).equals(original), 'the file itself has changed');
  assert.doesNotMatch(JSON.stringify(lines), /S3CR3T/);
});

test('parts of the patched ISO are parts of the patched ISO, across the bounds of the block', async () => {
  await using resources = new Resources();
  const assetsDir = await makeIso(resources, encodeIsoBlock({ server: 'https://old' }));
  const offset = await blockByDirectory(join(assetsDir, 'installer.iso'));
  const server = await startTestServer(resources, { settings: { assetsDir } });
  const path = `${isoPath}?token=${token}`;
  const whole = await server.fetch(path);
  const bytes = Buffer.from(await whole.arrayBuffer());
  const parts = [
    [0, 1],
    [offset - 10, offset + 10],
    [offset + 5, offset + 6],
    [offset - 1, offset + isoBlockBytes + 1],
    [offset + isoBlockBytes - 1, bytes.byteLength],
  ] as const;
  for (const [start, end] of parts) {
    const part = await server.fetch(path, {
      headers: { range: `bytes=${start}-${end - 1}`, 'if-range': whole.headers.get('etag') ?? '' },
    });
    assert.equal(part.status, 206);
    assert.ok(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(start, end)), `${start}-${end}`);
  }
});

test('a new ISO is looked through again', async () => {
  await using resources = new Resources();
  const assetsDir = await makeIso(resources, encodeIsoBlock({}));
  const server = await startTestServer(resources, { settings: { assetsDir } });
  assert.equal((await server.fetch(isoPath, { method: 'HEAD' })).status, 200);
  writeFileSync(join(assetsDir, 'installer.iso'), Buffer.concat([Buffer.alloc(1024 * 1024), encodeIsoBlock({})]));
  const moved = Buffer.from(await (await server.fetch(isoPath)).arrayBuffer());
  assert.equal(decodeIsoBlock(moved.subarray(1024 * 1024)).server, server.url);
});

test('an ISO without a block is refused with what to do, and so is what does not fit', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources, { settings: { assetsDir: await makeIso(resources, null) } });
  for (let round = 0; round < 2; round += 1) {
    const { status, body } = await server.api<{ detail: string }>('GET', isoPath);
    assert.equal(status, 409);
    assert.match(body.detail, /it is no installer ISO of durantic; build it again with \.\/scripts\/build-installer/);
  }
  const long = await server.api<{ detail: string }>('GET', `${isoPath}?token=${'x'.repeat(4096)}`);
  assert.equal(long.status, 422);
  assert.match(long.body.detail, /longer than/);
  assert.equal((await server.fetch(`${isoPath}?token=a%20b`)).status, 422);
});
