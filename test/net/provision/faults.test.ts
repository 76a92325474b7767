import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { WrittenLayout } from '../../builders/oci-image.ts';
import type { Fault, FaultAction } from '../../fakes/fault-script.ts';
import type { FaultyRegistry } from '../../fakes/faulty-registry.ts';
import { Resources } from '../../resources.ts';
import type { Tree } from '../../tree.ts';
import {
  assertNotBootable,
  assertNothingHeld,
  assertSameTree,
  type FaultyInstall,
  installedTree,
  installFaulty,
  writeSmallImage,
} from './faulty-install.ts';

const always = Number.POSITIVE_INFINITY;
/** What our client may have read and not passed on when a connection is reset: asked for again, and no more than that. */
const windowBytes = 1024 * 1024;
const resources = new Resources();
after(() => resources[Symbol.asyncDispose]());

let layout: WrittenLayout;
let tree: Tree;
before(async () => {
  layout = await writeSmallImage(resources);
  const { run, file } = await installFaulty(resources, { layout });
  assert.equal(run.exitCode, 0, run.stderr);
  tree = await installedTree(file);
});

function digestOf(index: number): string {
  const layer = layout.layers[index];
  assert.ok(layer !== undefined);
  return layer.digest;
}

async function assertInstalled({ run, file, registry }: FaultyInstall): Promise<void> {
  assert.equal(run.exitCode, 0, `${run.last?.message}\n${run.stderr}`);
  assert.equal(registry.script.pending, 0, 'every fault has struck');
  assertSameTree(await installedTree(file), tree);
  await assertNothingHeld(file);
}

interface Expected {
  readonly exitCode: number;
  readonly code: string | RegExp;
  readonly says: RegExp;
}

async function assertFailed({ run, file }: FaultyInstall, { exitCode, code, says }: Expected): Promise<void> {
  const { last } = run;
  assert.equal(run.exitCode, exitCode, last?.message ?? run.stderr);
  assert.match(last?.code ?? '', typeof code === 'string' ? new RegExp(`^${code}$`) : code);
  assert.match(last?.message ?? '', says);
  assert.ok(['erased', 'partial'].includes(last?.disk_state ?? ''), `the disk is ${last?.disk_state}`);
  await assertNotBootable(file);
  await assertNothingHeld(file);
}

/** Requests for a layer before the disk is touched: its first 4 KiB, and of layer 0 the head of the disk. */
function requestsBefore(index: number): number {
  return index === 0 ? 2 : 1;
}

/** Faults of one layer's download, in order: one for each request. */
function faultsOf(index: number, answers: readonly FaultAction[], times = 1): Fault[] {
  return answers.map((answer) => ({ digest: digestOf(index), skip: requestsBefore(index), times, answer }));
}

/** For each time a layer's download was taken up again: how many bytes were sent that had been sent before. */
function sentAgain(registry: FaultyRegistry, index: number): number[] {
  const requests = registry.blobRequests(digestOf(index)).slice(requestsBefore(index));
  const startOf = (range: string | null): number => Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
  return requests.slice(1).map(({ range }, at) => {
    const before = requests[at];
    return before === undefined ? 0 : startOf(before.range) + before.sentBytes - startOf(range);
  });
}

describe('a registry that fails', { concurrency: 2 }, () => {
  test('F01 a layer that never comes whole: an error with the bytes had and expected, and no bootable disk', async () => {
    await using own = new Resources();
    const script = [
      ...faultsOf(2, [{ kind: 'truncate', afterBytes: 100_000 }]),
      ...faultsOf(2, [{ kind: 'truncate', afterBytes: 0 }], always),
    ];
    const install = await installFaulty(own, { layout, script, retryPolicy: { giveUpAfterMs: 5000 } });
    const says = new RegExp(`layer 2 .*100000 of ${layout.layers[2]?.sizeBytes} bytes, then \\d+ tries in \\d+ s`);
    await assertFailed(install, { exitCode: 4, code: 'download_interrupted', says });
    assert.equal(install.run.last?.retryable, true);
  });

  test('F01 every layer is cut off three times and gone on with', async () => {
    await using own = new Resources();
    const cuts = [70_000, 1, 300_000].map((afterBytes) => ({ kind: 'truncate', afterBytes }) as const);
    const script = layout.layers.flatMap((_, index) => faultsOf(index, cuts));
    const install = await installFaulty(own, { layout, script });
    await assertInstalled(install);
    // Nothing is lost where a connection ends cleanly, so nothing is sent again.
    const again = layout.layers.map((_, index) => sentAgain(install.registry, index));
    assert.deepEqual(again, Array(layout.layers.length).fill([0, 0, 0]));
  });

  test('F03 ten connection resets at random bytes of random layers: the same tree, hardly a byte sent twice', async (context) => {
    const seed = Number(process.env['DURANTIC_SEED'] ?? Date.now() % 2 ** 31);
    context.diagnostic(`DURANTIC_SEED=${seed}`);
    const place = fc.record({ index: fc.nat(layout.layers.length - 1), share: fc.integer({ min: 0, max: 999 }) });
    const property = fc.asyncProperty(fc.array(place, { minLength: 10, maxLength: 10 }), async (places) => {
      await using own = new Resources();
      const script = places
        .toSorted((left, right) => left.share - right.share)
        .flatMap(({ index, share }) => {
          const blobByte = Math.floor(((layout.layers[index]?.sizeBytes ?? 0) * share) / 1000);
          return faultsOf(index, [{ kind: 'reset-at', blobByte, whenRead: true }]);
        });
      const install = await installFaulty(own, { layout, script });
      await assertInstalled(install);
      const again = layout.layers.flatMap((_, index) => sentAgain(install.registry, index));
      context.diagnostic(`bytes that each reset cost: ${again.join(' ')}`);
      assert.equal(again.length, script.length);
      for (const bytes of again) assert.ok(bytes >= 0 && bytes <= windowBytes, `${bytes} bytes`);
    });
    await fc.assert(property, { seed, numRuns: 3, endOnFailure: true });
  });

  test('F04 resumes that are answered with the whole blob, 416, another part, none or a redirect: never a mixed stream', async () => {
    await using own = new Resources();
    const cut = { kind: 'truncate', afterBytes: 200_000 } as const;
    const script = [
      ...faultsOf(0, [cut, { kind: 'ignore-range' }]),
      ...faultsOf(1, [cut, { kind: 'status', status: 416 }]),
      ...faultsOf(2, [cut, { kind: 'content-range', value: 'bytes 7-99999/100000', fromByte: 7 }]),
      ...faultsOf(3, [cut, { kind: 'content-range', value: null, fromByte: 0 }]),
    ];
    await assertInstalled(await installFaulty(own, { layout, script }));
  });

  test('F04 a blob that is another one on every resume: a typed error, and no bootable disk', async () => {
    await using own = new Resources();
    const changed = (value: string) => ({ kind: 'header', name: 'etag', value }) as const;
    const script = faultsOf(1, [{ kind: 'truncate', afterBytes: 200_000 }, changed('"b"'), changed('"c"')]);
    const install = await installFaulty(own, { layout, script });
    await assertFailed(install, { exitCode: 4, code: 'registry_error', says: /changed layer 1 .*ETag/ });
  });

  test('F05 F06 tokens and signed URLs that expire in the middle of layers: renewed, sent to their own place, not logged', async () => {
    await using own = new Resources();
    const script = layout.layers.flatMap((_, index) =>
      faultsOf(index, [
        { kind: 'reset', afterBytes: 300_000 },
        { kind: 'status', status: 403, body: '<Error><Message>Request has expired</Message></Error>' },
        { kind: 'reset', afterBytes: 200_000 },
      ]).map((fault): Fault => ({ ...fault, at: 'storage' })),
    );
    const options = { script, tokens: { usesPerToken: 2 }, storage: { usesPerSignature: 1 } };
    const install = await installFaulty(own, { layout, ...options, flags: ['--debug'] });
    await assertInstalled(install);
    const { registry, run } = install;
    const tokens = registry.requests.filter(({ on }) => on === 'token').length;
    assert.ok(tokens >= 5, `${tokens} tokens`);
    const atStorage = registry.requests.filter(({ at }) => at === 'storage');
    assert.ok(atStorage.length > 8);
    assert.deepEqual(
      atStorage.filter(({ authorization }) => authorization !== null),
      [],
    );
    const said = run.stdout + run.stderr;
    assert.match(run.stderr, /trying again|taken up again|interrupted/);
    for (const { query, authorization } of registry.requests) {
      for (const secret of [query.split('=')[1], authorization?.split(' ')[1]]) {
        if (secret) assert.ok(!said.includes(secret), 'a secret is in the output');
      }
    }
  });
});

describe('an image that is not what it says', { concurrency: 2 }, () => {
  for (const index of [0, 1, 2, 3]) {
    test(`F08 layer ${index} altered by one bit: an integrity error that names it, fetched once, no bootable disk`, async () => {
      await using own = new Resources();
      const blobByte = Math.floor((layout.layers[index]?.sizeBytes ?? 0) * 0.9);
      const script = faultsOf(index, [{ kind: 'corrupt', blobByte }], always);
      const install = await installFaulty(own, { layout, script });
      await assertFailed(install, {
        exitCode: 5,
        code: /^(digest_mismatch|stream_corrupt)$/,
        says: new RegExp(`layer ${index} `),
      });
      assert.equal(install.registry.blobRequests(digestOf(index)).length, requestsBefore(index) + 1);
    });
  }

  test('F08 a layer that is shorter or longer in the registry than in the manifest: an error with both sizes', async () => {
    const sizeBytes = layout.layers[2]?.sizeBytes ?? 0;
    for (const answer of [
      { kind: 'shorter', sizeBytes: sizeBytes - 1 },
      { kind: 'longer', extraBytes: 1 },
    ] as const) {
      await using own = new Resources();
      const install = await installFaulty(own, { layout, script: faultsOf(2, [answer], always) });
      await assertFailed(install, { exitCode: 5, code: 'size_mismatch', says: new RegExp(`layer 2 .*${sizeBytes}`) });
      assert.ok(install.registry.blobRequests(digestOf(2)).length <= requestsBefore(2) + 2);
    }
  });

  for (const index of [0, 2]) {
    test(`F08 layer ${index} under a wrong diffID: an error of its own, and no bootable disk`, async () => {
      await using own = new Resources();
      const wrong = await writeSmallImage(own, (layers) =>
        layers.map((layer, at) => (at === index ? { ...layer, diffId: `sha256:${'7'.repeat(64)}` } : layer)),
      );
      const install = await installFaulty(own, { layout: wrong });
      await assertFailed(install, { exitCode: 5, code: 'diff_id_mismatch', says: new RegExp(`layer ${index} `) });
    });
  }

  test('F08 a right digest of a compressed stream that lacks its end: an integrity error, and no bootable disk', async () => {
    await using own = new Resources();
    const cut = await writeSmallImage(own, (layers) =>
      layers.map((layer, at) => (at === 1 ? { ...layer, stored: gzipSync(layer.bytes ?? '').subarray(0, -9) } : layer)),
    );
    const install = await installFaulty(own, { layout: cut });
    await assertFailed(install, { exitCode: 5, code: 'stream_truncated', says: /layer 1 / });
  });
});
