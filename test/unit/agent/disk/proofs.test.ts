import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commitTable } from '../../../../agent/disk/commit-table.ts';
import { LayerProof } from '../../../../agent/disk/layer-proof.ts';
import type { GrownTable, OpenTarget } from '../../../../agent/disk/types.ts';
import { VerifiedInstall, verifyInstall } from '../../../../agent/disk/verified-install.ts';
import { silentLogger } from '../../../../core/base/logger.ts';
import type { LayerDescriptor } from '../../../../core/oci/types.ts';
import { createFaultyTarget } from '../../../fakes/faulty-target.ts';

const layer: LayerDescriptor = { index: 0, digest: 'sha256:aa', diffId: 'sha256:bb', sizeBytes: 10, mediaType: 'x' };
const second: LayerDescriptor = { ...layer, index: 1, digest: 'sha256:cc' };
const measured = { digest: 'sha256:aa', diffId: 'sha256:bb', sizeBytes: 10 };
const bootPath = { firmware: ['bios'], checked: ['core.img'] } as const;
const target = createFaultyTarget({ sizeBytes: 4096 });
const table = {} as GrownTable;

test('a layer proof exists only where size, digest and diffID agree', () => {
  assert.equal(LayerProof.of(layer, measured).digest, 'sha256:aa');
  assert.equal(LayerProof.of({ ...layer, diffId: null }, { ...measured, diffId: 'sha256:zz' }).diffId, 'sha256:zz');
  const wrong = { sizeBytes: 9, digest: 'sha256:ab', diffId: 'sha256:bc' };
  const codes = { sizeBytes: 'size_mismatch', digest: 'digest_mismatch', diffId: 'diff_id_mismatch' };
  for (const [key, value] of Object.entries(wrong)) {
    const code = codes[key as keyof typeof codes];
    assert.throws(() => LayerProof.of(layer, { ...measured, [key]: value }), {
      code,
      message: /layer 0 \(sha256:aa\)/,
    });
  }
});

test('a layer without its own proof keeps the installation from being verified', async () => {
  const proof = LayerProof.of(layer, measured);
  const forged = {
    verified: true,
    digest: 'sha256:cc',
    diffId: 'sha256:bb',
    isOf: () => true,
  } as unknown as LayerProof;
  for (const [layers, proofs] of [
    [[layer], []],
    [[layer, second], [proof]],
    [
      [layer, second],
      [proof, forged],
    ],
    [
      [layer, second],
      [proof, Object.create(LayerProof.prototype) as LayerProof],
    ],
    [[{ ...layer, diffId: 'sha256:other' }], [proof]],
    [[], [proof]],
  ] as [LayerDescriptor[], LayerProof[]][]) {
    await assert.rejects(verifyInstall({ target, table, layers, proofs, bootPath }), { code: 'invariant' });
  }
});

test('without a boot path nothing is verified', async () => {
  const proofs = [LayerProof.of(layer, measured)];
  for (const empty of [
    { firmware: [], checked: ['x'] },
    { firmware: ['bios'], checked: [] },
  ] as const) {
    await assert.rejects(verifyInstall({ target, table, layers: [layer], proofs, bootPath: empty }), {
      code: 'boot_path_invalid',
    });
  }
});

test('neither proof can be constructed, and the commit takes no look-alike', async () => {
  const construct = (make: unknown): unknown =>
    Reflect.construct(make as new () => unknown, [Symbol('x'), target, table]);
  assert.throws(() => construct(VerifiedInstall), { code: 'invariant' });
  assert.throws(() => construct(LayerProof), { code: 'invariant' });
  const lookAlikes = [{}, Object.create(VerifiedInstall.prototype), null] as VerifiedInstall[];
  for (const proof of lookAlikes) {
    const disk = createFaultyTarget({ sizeBytes: 4096 });
    const open = disk as unknown as OpenTarget;
    const ctx = { log: silentLogger, signal: new AbortController().signal };
    await assert.rejects(commitTable(open, table, { ...ctx, proof }), { code: 'invariant' });
    assert.equal(disk.calls.length, 0);
  }
});
