import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { identifierNeedles } from '../../../../agent/rootfs/identifier-needles.ts';
import { IdentifierScanner } from '../../../../agent/rootfs/identifier-scanner.ts';
import { scanArchive } from '../../../../agent/rootfs/scan-archive.ts';
import { Resources } from '../../../resources.ts';

const uuid = '3a5f9c1e-1b2c-4d3e-8f4a-5b6c7d8e9f01';

async function scan(bytes: Buffer): Promise<{ found: string[]; unsearched: string[] }> {
  await using resources = new Resources();
  const file = join(resources.tempDir(), 'initrd');
  writeFileSync(file, bytes);
  const identity = {
    number: 1,
    typeGuid: '',
    partUuid: uuid,
    fsUuid: null,
    fsLabel: null,
    partLabel: null,
    fsType: null,
  };
  const scanner = new IdentifierScanner(identifierNeedles([identity], '00000000-0000-0000-0000-000000000000'));
  const unsearched = await scanArchive(file, { scanner, signal: new AbortController().signal });
  return { found: scanner.found.map(({ value }) => value), unsearched };
}

/** A newc archive of one file and its trailer. */
function cpio(name: string, data: string): Buffer {
  const entry = (entryName: string, body: string): Buffer => {
    const fields = [1, 0o100644, 0, 0, 1, 0, body.length, 0, 0, 0, 0, entryName.length + 1, 0];
    const header = `070701${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}`;
    const pad = (text: string): string => text + '\0'.repeat((4 - (text.length % 4)) % 4);
    return Buffer.from(pad(`${header}${entryName}\0`) + pad(body), 'latin1');
  };
  return Buffer.concat([entry(name, data), entry('TRAILER!!!', '')]);
}

const harmless = cpio('kernel/x86/microcode/GenuineIntel.bin', 'microcode '.repeat(500));
const guilty = cpio('conf/conf.d/resume', `RESUME=UUID=${uuid}\n`);
const zeros = Buffer.alloc(1024);

const layouts: readonly (readonly [string, Buffer])[] = [
  ['plain', guilty],
  ['plain after plain', Buffer.concat([harmless, zeros, guilty])],
  ['gzip', gzipSync(guilty)],
  ['zstd', zstdCompressSync(guilty)],
  ['plain, then zstd', Buffer.concat([harmless, zeros, zstdCompressSync(guilty)])],
  ['plain, then gzip', Buffer.concat([harmless, gzipSync(guilty)])],
  ['gzip, then zstd', Buffer.concat([gzipSync(harmless), zeros, zstdCompressSync(guilty)])],
  ['zstd, then gzip', Buffer.concat([zstdCompressSync(harmless), zeros, gzipSync(guilty)])],
  ['gzip, then plain', Buffer.concat([gzipSync(harmless), guilty])],
  ['plain, gzip, plain, zstd', Buffer.concat([harmless, gzipSync(harmless), harmless, zstdCompressSync(guilty)])],
];

for (const [name, bytes] of layouts) {
  test(`finds an identifier in an initramfs that is ${name}`, async () => {
    assert.deepEqual(await scan(bytes), { found: [uuid], unsearched: [] });
  });
}

test('names the format of what it cannot search', async () => {
  const xz = Buffer.from('fd377a585a000004e6d6b446', 'hex');
  assert.deepEqual(await scan(Buffer.concat([harmless, zeros, xz])), { found: [], unsearched: ['xz'] });
  assert.deepEqual(await scan(Buffer.from('garbage of some kind')), { found: [], unsearched: ['unknown format'] });
});

test('a damaged archive is named, not passed over', async () => {
  const broken = gzipSync(cpio('big', 'abcdefgh'.repeat(20_000)));
  broken.fill(0xff, 40, 60);
  assert.deepEqual((await scan(broken)).unsearched, ['gzip (damaged)']);
});
