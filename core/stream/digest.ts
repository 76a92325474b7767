import { createHash, type Hash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import type { ErrorCode } from '../base/error-codes.ts';
import { ProvisionError } from '../base/errors.ts';
import { type DigestAlgorithm, parseDigest } from './parse-digest.ts';

export interface DigestExpectation {
  /** `sha256:…`; null where nothing is known to compare with. */
  readonly digest: string | null;
  /** null where the size is not known. */
  readonly sizeBytes: number | null;
  /** What was hashed, for the message: `layer 3 (sha256:abcd…)`. */
  readonly label: string;
  /** Code for other bytes than expected; default `digest_mismatch`. */
  readonly mismatchCode?: ErrorCode;
}

/** A pass-through stream that hashes and counts; the result is asked for after the end. */
export class Digest extends Transform {
  readonly algorithm: DigestAlgorithm;
  readonly #hash: Hash;
  #sizeBytes = 0;
  #result: string | undefined;

  constructor(algorithm: DigestAlgorithm) {
    super();
    this.algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  /** Bytes that have passed so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * The digest of all bytes.
   * @throws ProvisionError `invariant` when the stream has not ended.
   */
  result(): string {
    if (this.#result === undefined) {
      throw new ProvisionError('invariant', 'a digest was asked for before the stream had ended');
    }
    return this.#result;
  }

  /**
   * Throws unless exactly the expected bytes have passed.
   * @throws ProvisionError `size_mismatch`, `digest_mismatch` (or `mismatchCode`), `invariant` before the end.
   */
  verify(expected: DigestExpectation): void {
    const actual = this.result();
    if (expected.sizeBytes !== null && expected.sizeBytes !== this.#sizeBytes) {
      throw new ProvisionError(
        'size_mismatch',
        `${expected.label} has ${this.#sizeBytes} bytes where ${expected.sizeBytes} were expected`,
        { facts: { size_bytes: this.#sizeBytes, expected_size_bytes: expected.sizeBytes } },
      );
    }
    if (expected.digest === null) return;
    if (parseDigest(expected.digest).algorithm !== this.algorithm) {
      throw new ProvisionError('invariant', `${expected.digest} was compared with a ${this.algorithm} hash`);
    }
    if (actual !== expected.digest) {
      throw new ProvisionError(
        expected.mismatchCode ?? 'digest_mismatch',
        `the bytes of ${expected.label} have the digest ${actual} where ${expected.digest} was expected`,
        { facts: { digest: actual, expected_digest: expected.digest, size_bytes: this.#sizeBytes } },
      );
    }
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#hash.update(chunk);
    this.#sizeBytes += chunk.length;
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    this.#result = `${this.algorithm}:${this.#hash.digest('hex')}`;
    done();
  }
}

/** A hashing pass-through of the algorithm that `digest` names (sha256 when there is none to compare with). */
export function createDigest(digest: string | null): Digest {
  return new Digest(digest === null ? 'sha256' : parseDigest(digest).algorithm);
}
