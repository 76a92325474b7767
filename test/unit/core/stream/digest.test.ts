import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { createDigest } from '../../../../core/stream/digest.ts';
import { parseDigest } from '../../../../core/stream/parse-digest.ts';
import { cut, sendThrough } from '../../../builders/stream-chunks.ts';

const bytes = Buffer.from('some bytes of a layer');
const sha256 = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const sha512 = `sha512:${createHash('sha512').update(bytes).digest('hex')}`;

function code(expected: string): (error: unknown) => boolean {
  return (error) => error instanceof ProvisionError && error.code === expected;
}

test('what passes is unchanged, and its digest and size are verified', async () => {
  for (const expected of [sha256, sha512]) {
    const digest = createDigest(expected);
    assert.deepEqual(Buffer.concat(await sendThrough(cut(bytes, [3, 1]), [digest])), bytes);
    digest.verify({ digest: expected, sizeBytes: bytes.length, label: 'layer 1' });
    assert.equal(digest.result(), expected);
  }
});

test('F08 other bytes and another size are errors that name the layer', async () => {
  const digest = createDigest(sha256);
  await sendThrough([bytes], [digest]);
  const expect = { digest: sha256, sizeBytes: bytes.length, label: 'layer 1' };
  const other = { ...expect, digest: `sha256:${'0'.repeat(64)}` };
  assert.throws(() => digest.verify(other), code('digest_mismatch'));
  assert.throws(() => digest.verify({ ...other, mismatchCode: 'diff_id_mismatch' }), code('diff_id_mismatch'));
  assert.throws(() => digest.verify({ ...expect, sizeBytes: 7 }), code('size_mismatch'));
  assert.throws(() => digest.verify({ ...expect, sizeBytes: 7 }), /layer 1 has 21 bytes where 7/);
});

test('asking before the end is a defect, even when all bytes have passed', () => {
  const digest = createDigest(sha256);
  digest.write(bytes);
  assert.throws(() => digest.verify({ digest: sha256, sizeBytes: null, label: 'layer 1' }), code('invariant'));
});

test('digests that cannot be verified are refused', () => {
  for (const text of [
    '',
    'sha256:',
    'md5:00',
    `sha256:${'g'.repeat(64)}`,
    `sha256:${'A'.repeat(64)}`,
    `${sha256}0`,
    `${sha256}:x`,
  ]) {
    assert.throws(() => parseDigest(text), code('manifest_invalid'), text);
  }
});
