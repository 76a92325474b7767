import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { pack } from 'tar-stream';
import { soleFile } from '../../../../agent/provision/steps/sole-file.ts';
import { ProvisionError } from '../../../../core/base/errors.ts';

interface Entry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink';
  readonly content?: Buffer;
}

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const { name, type, content } of entries) {
    if (type === 'file') archive.entry({ name, type }, content ?? Buffer.alloc(0));
    else archive.entry({ name, type, ...(type === 'symlink' ? { linkname: 'x' } : {}) });
  }
  archive.finalize();
  const parts: Buffer[] = [];
  for await (const part of archive) parts.push(Buffer.from(part as Uint8Array));
  return Buffer.concat(parts);
}

async function read(tar: Buffer, chunkBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let at = 0; at < tar.length; at += chunkBytes) chunks.push(tar.subarray(at, at + chunkBytes));
  const parts: Buffer[] = [];
  for await (const part of soleFile(Readable.from(chunks), 'layer 0')) parts.push(part);
  return Buffer.concat(parts);
}

const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) % 256));

test('gives the one file, folders passed over, whatever the chunks', async () => {
  const tar = await tarOf([
    { name: 'images/', type: 'directory' },
    { name: 'images/disk.raw', type: 'file', content },
  ]);
  for (const chunkBytes of [511, 4096, tar.length]) assert.deepEqual(await read(tar, chunkBytes), content);
});

for (const [what, entries, message] of [
  [
    'two files',
    [
      { name: 'disk.raw', type: 'file', content },
      { name: 'etc/passwd', type: 'file' },
    ],
    /disk\.raw and etc\/passwd.*--layers/,
  ],
  ['a symlink', [{ name: 'disk.raw', type: 'symlink' }], /disk\.raw, which is no regular file/],
  ['only folders', [{ name: 'a/', type: 'directory' }], /it holds no file/],
] as const) {
  test(`refuses ${what}`, async () => {
    const tar = await tarOf(entries as readonly Entry[]);
    await assert.rejects(read(tar, 4096), (error: unknown) => {
      assert.ok(error instanceof ProvisionError);
      assert.equal(error.code, 'image_not_provisionable');
      assert.match(error.message, message);
      return true;
    });
  });
}

test('a truncated archive is an error, never a shorter file', async () => {
  const tar = await tarOf([{ name: 'disk.raw', type: 'file', content }]);
  for (const length of [100, 512, 700, 60_000]) {
    await assert.rejects(
      read(tar.subarray(0, length), 4096),
      (error: unknown) => error instanceof ProvisionError && error.code === 'stream_corrupt',
    );
  }
});

test("an error of the source comes through as it is, and is not called the archive's", async () => {
  const tar = await tarOf([{ name: 'disk.raw', type: 'file', content }]);
  async function* broken() {
    yield tar.subarray(0, 2000);
    throw new ProvisionError('download_interrupted', 'the registry has no more');
  }
  await assert.rejects(
    async () => {
      for await (const _ of soleFile(broken(), 'layer 0'));
    },
    (error: unknown) => error instanceof ProvisionError && error.code === 'download_interrupted',
  );
});
