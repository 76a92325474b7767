import { sleep } from '../base/abort.ts';
import { ProvisionError } from '../base/errors.ts';
import { formatDuration } from '../base/format-duration.ts';
import type { Logger } from '../base/logger.ts';
import { type RetryOptions, retry } from '../base/retry.ts';
import { type BodyPlan, isRangeRefused, planBody, sizeMismatch, type WantedBytes } from './blob-response.ts';
import type { HttpResponse } from './http-get.ts';
import { retryAfterOf } from './retry-after.ts';

export interface RetryPolicy extends Pick<RetryOptions, 'countsHints' | 'now' | 'wait'> {
  /** Tries without one new byte before giving up. */
  readonly attempts: number;
  /** Time without one new byte before giving up; waits that the registry asks for count with `countsHints`. */
  readonly giveUpAfterMs: number;
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** 0 ≤ value < 1; injectable for tests, as `now` and `wait` are. */
  readonly random: () => number;
}

export interface BlobDownloadOptions {
  /** One request, for a closed range or (undefined) the whole blob; gives a 200, 206 or 416. */
  readonly request: (range: string | undefined, signal: AbortSignal) => Promise<HttpResponse>;
  readonly label: string;
  readonly startBytes: number;
  readonly endBytes: number;
  readonly totalBytes: number;
  readonly policy: RetryPolicy;
  readonly onResume: ((facts: { atBytes: number; attempt: number; reason: string }) => void) | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

interface Connection {
  readonly body: AsyncGenerator<Buffer>;
  readonly firstChunk: Buffer;
  readonly restBytes: number;
  readonly mustEnd: boolean;
}

// A connection that brought less than this before it broke is followed by a pause.
const worthwhileBytes = 64 * 1024;

/**
 * Bytes of a blob, gone on with at the byte where a connection ended (provisioning.md, invariant 4). A resume asks for
 * a closed range; a server that cannot serve it is asked for the whole blob, of which the known part is dropped.
 */
export class BlobDownload {
  readonly #options: BlobDownloadOptions;
  #atBytes: number;
  #canRange = true;
  #hasSizeMismatch = false;
  #etag: { readonly place: string; readonly value: string } | undefined;
  #hasEtagChange = false;

  constructor(options: BlobDownloadOptions) {
    this.#options = options;
    this.#atBytes = options.startBytes;
  }

  /** Exactly the bytes asked for, or an error. */
  async *bytes(): AsyncGenerator<Buffer> {
    const { endBytes } = this.#options;
    let broken: ProvisionError | undefined;
    while (this.#atBytes < endBytes) {
      const connection = await this.#connect(broken);
      const fromBytes = this.#atBytes;
      broken = undefined;
      try {
        yield* this.#take(connection);
      } catch (error) {
        if (!(error instanceof ProvisionError) || !error.retryable) throw error;
        broken = error;
        await this.#pauseAfter(error, this.#atBytes - fromBytes);
      } finally {
        await connection.body.return(undefined);
      }
    }
  }

  async #pauseAfter(error: ProvisionError, gotBytes: number): Promise<void> {
    const { label, log, policy, signal } = this.#options;
    log.warn({ label, at_bytes: this.#atBytes, reason: error.message }, 'download interrupted');
    if (gotBytes >= worthwhileBytes) return;
    const delayMs = policy.firstDelayMs * (0.5 + policy.random() / 2);
    if (policy.wait === undefined) await sleep(delayMs, signal);
    else await policy.wait(delayMs, error);
  }

  // A connection counts as made when it has brought a byte that is new: only this resets the budget.
  async #connect(broken: ProvisionError | undefined): Promise<Connection> {
    const { label, log, onResume, policy, signal } = this.#options;
    const now = policy.now ?? (() => performance.now());
    const startedMs = now();
    let reason = broken?.message;
    let tries = 0;
    const connection = await retry(
      () => {
        tries += 1;
        return this.#tryConnect();
      },
      {
        ...policy,
        signal,
        delayHintMs: (error) => retryAfterOf(error, policy.random),
        onRetry: (error, attempt, delayMs) => {
          reason ??= error.message;
          log.warn(
            { label, at_bytes: this.#atBytes, attempt, delay_ms: delayMs, reason: error.message },
            'trying again',
          );
        },
      },
    ).catch((error: unknown) => {
      throw isSpent(error) ? this.#spent(error, { tries, elapsedMs: now() - startedMs }) : error;
    });
    if (reason !== undefined) onResume?.({ atBytes: this.#atBytes, attempt: tries, reason });
    return connection;
  }

  async #tryConnect(): Promise<Connection> {
    const { request, signal } = this.#options;
    const wanted = this.#wanted();
    const isWhole = wanted.atBytes === 0 && wanted.endBytes === wanted.totalBytes;
    const askRange = this.#canRange && !isWhole;
    const response = await request(askRange ? `bytes=${wanted.atBytes}-${wanted.endBytes - 1}` : undefined, signal);
    try {
      this.#checkEtag(response, wanted);
      const plan = planBody(response, wanted, askRange);
      return await this.#firstBytes(response, plan, wanted);
    } catch (error) {
      response.discard();
      throw this.#asRetryable(error, askRange);
    }
  }

  async #firstBytes(response: HttpResponse, plan: BodyPlan, wanted: WantedBytes): Promise<Connection> {
    const body = response.chunks();
    let discardBytes = plan.discardBytes;
    for (;;) {
      const { value, done } = await body.next();
      if (done) throw this.#endedEarly(wanted);
      if (value.length > discardBytes) {
        const firstChunk = discardBytes === 0 ? value : value.subarray(discardBytes);
        return { body, firstChunk, restBytes: plan.takeBytes, mustEnd: plan.mustEnd };
      }
      discardBytes -= value.length;
    }
  }

  async *#take(connection: Connection): AsyncGenerator<Buffer> {
    const { body, mustEnd } = connection;
    let restBytes = connection.restBytes;
    let chunk: Buffer | undefined = connection.firstChunk;
    while (chunk !== undefined) {
      const usable: Buffer = chunk.length <= restBytes ? chunk : chunk.subarray(0, restBytes);
      restBytes -= usable.length;
      this.#atBytes += usable.length;
      if (usable.length < chunk.length && mustEnd) throw this.#tooLong();
      if (usable.length > 0) yield usable;
      if (restBytes === 0 && !mustEnd) return;
      chunk = await this.#nextChunk(body, restBytes);
    }
    if (restBytes > 0) throw this.#endedEarly(this.#wanted());
  }

  async #nextChunk(body: AsyncGenerator<Buffer>, restBytes: number): Promise<Buffer | undefined> {
    try {
      const { value, done } = await body.next();
      return done ? undefined : value;
    } catch (error) {
      // All bytes are here; that the connection then broke instead of ending is no loss.
      if (restBytes === 0 && error instanceof ProvisionError && error.retryable) return undefined;
      throw error;
    }
  }

  /** A size that contradicts the manifest, and a changed ETag, are tried once more: another backend may be right. */
  #asRetryable(error: unknown, askedRange: boolean): unknown {
    if (isRangeRefused(error)) {
      this.#canRange = false;
      // Without a range there is nothing left to ask for in another way.
      return askedRange
        ? error
        : new ProvisionError('registry_error', error.message, { facts: error.facts, retryable: false });
    }
    if (!(error instanceof ProvisionError) || error.code !== 'size_mismatch' || this.#hasSizeMismatch) return error;
    this.#hasSizeMismatch = true;
    return new ProvisionError(error.code, error.message, { facts: error.facts, retryable: true });
  }

  // Only a strong ETag of one and the same place can be compared (RFC 9110 section 8.8.3).
  #checkEtag(response: HttpResponse, wanted: WantedBytes): void {
    const value = response.header('etag');
    if (response.status === 416 || value === undefined || value.startsWith('W/')) return;
    const place = `${response.url.origin}${response.url.pathname}`;
    const known = this.#etag?.place === place ? this.#etag.value : undefined;
    const hasBytes = wanted.atBytes > this.#options.startBytes;
    if (known === undefined || !hasBytes) this.#etag = { place, value };
    if (known === undefined || known === value || !hasBytes) return;
    const isFirst = !this.#hasEtagChange;
    this.#hasEtagChange = true;
    throw new ProvisionError(
      'registry_error',
      `${response.url.host} changed ${wanted.label} while it was downloaded (ETag ${known}, now ${value})`,
      { facts: { etag: value, expected_etag: known, had_bytes: wanted.atBytes }, retryable: isFirst },
    );
  }

  #wanted(): WantedBytes {
    const { label, endBytes, totalBytes } = this.#options;
    return { label, atBytes: this.#atBytes, endBytes, totalBytes };
  }

  #endedEarly(wanted: WantedBytes): ProvisionError {
    return new ProvisionError(
      'download_interrupted',
      `${wanted.label} ended after ${wanted.atBytes} of ${wanted.endBytes} bytes`,
      { facts: { had_bytes: wanted.atBytes, expected_bytes: wanted.endBytes } },
    );
  }

  #tooLong(): ProvisionError {
    return sizeMismatch(this.#wanted(), 'sends more bytes than it has', this.#atBytes);
  }

  // The last error, with what had been got until then and for how long nothing more came.
  #spent(cause: ProvisionError, spent: { readonly tries: number; readonly elapsedMs: number }): ProvisionError {
    const { label, endBytes, policy } = this.#options;
    const { tries, elapsedMs } = spent;
    const hintMs = retryAfterOf(cause, () => 0);
    const budget = formatDuration(policy.giveUpAfterMs / 1000);
    const asked =
      hintMs !== undefined && tries < policy.attempts
        ? `; the registry asks for ${formatDuration(hintMs / 1000)} more, past the ${budget} that are waited at most`
        : '';
    const inVain = `${tries} ${tries === 1 ? 'try' : 'tries'} in ${formatDuration(elapsedMs / 1000)} in vain`;
    return new ProvisionError(
      cause.code,
      `${label} could not be completed: ${this.#atBytes} of ${endBytes} bytes, then ${inVain}${asked}`,
      { cause, facts: { ...cause.facts, had_bytes: this.#atBytes, expected_bytes: endBytes } },
    );
  }
}

/** Whether trying again was what the error called for: the last of the tries that there were. */
function isSpent(error: unknown): error is ProvisionError {
  return error instanceof ProvisionError && error.kind === 'transient' && error.retryable;
}
