import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { createCompressor } from '../../../../images/build/compressor.ts';

/** Three blocks of zstd and a bit, half of it random-looking. */
const input = Buffer.alloc(400_000);
for (let at = 0; at < input.length; at += 1) input[at] = at % 2 === 0 ? (at * 2_654_435_761) >>> 24 : 7;

async function compress(codec: 'zstd' | 'gzip' | 'none', cuts: readonly number[], isSlow: boolean): Promise<Buffer> {
  async function* pieces(): AsyncGenerator<Buffer> {
    let start = 0;
    for (const end of [...cuts, input.length].sort((a, b) => a - b)) {
      if (isSlow) await new Promise((resolve) => setImmediate(resolve));
      yield input.subarray(start, end);
      start = end;
    }
    // The end comes long after the last chunk, as from a program that is slow to exit.
    if (isSlow) for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
  const compressor = createCompressor({ codec, level: 6 });
  const output = buffer(compressor);
  await pipeline(Readable.from(pieces(), { objectMode: false }), compressor);
  return await output;
}

test('the same bytes compress to the same bytes, however they are cut and whenever they come', async () => {
  for (const codec of ['zstd', 'gzip', 'none'] as const) {
    const expected = await compress(codec, [], false);
    const cuts = fc.array(fc.nat(input.length), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(cuts, fc.boolean(), async (at, isSlow) => {
        assert.ok((await compress(codec, at, isSlow)).equals(expected), `${codec} cut at ${at}`);
      }),
      {
        numRuns: 20,
        examples: [
          [[], true],
          [[131_072, 262_144], false],
          [[131_072, 262_144], true],
        ],
      },
    );
  }
});

test('what it makes is what went in', async () => {
  assert.ok(zstdDecompressSync(await compress('zstd', [1000], false)).equals(input));
  assert.ok(gunzipSync(await compress('gzip', [1000], false)).equals(input));
  assert.ok((await compress('none', [1000], false)).equals(input));
});
