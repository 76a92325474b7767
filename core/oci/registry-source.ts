import type { Readable } from 'node:stream';
import { ProvisionError } from '../base/errors.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import { retry } from '../base/retry.ts';
import { isDigest } from '../stream/parse-digest.ts';
import type { RegistryCredentials } from './auth.ts';
import type { RetryPolicy } from './blob-download.ts';
import { blobRange } from './blob-range.ts';
import { createBlobStream } from './blob-stream.ts';
import { type ConnectTo, createDispatcher } from './create-dispatcher.ts';
import { describeDescriptor } from './describe-descriptor.ts';
import { readBody } from './http-get.ts';
import { acceptedManifests } from './media-types.ts';
import type { RegistryReference } from './reference.ts';
import { RegistryClient } from './registry-client.ts';
import {
  digestOf,
  largestConfigBytes,
  largestManifestBytes,
  type RootDocument,
  resolveImage,
} from './resolve-image.ts';
import { retryAfterOf } from './retry-after.ts';
import type { Descriptor, ImageSource, OpenBlobOptions, Platform } from './types.ts';

export interface RegistrySourceOptions {
  /** Plain HTTP instead of HTTPS; never chosen by itself. */
  readonly plainHttp: boolean;
  /** PEM certificates trusted besides the system's. */
  readonly caFile?: string | undefined;
  /** URL of an HTTP proxy. */
  readonly proxy?: string | undefined;
  /** Registries that are found at another address than their name says. */
  readonly connectTo?: ConnectTo | undefined;
  /** Gives user name and password of a registry; without it access is anonymous. */
  readonly credentials?: (registry: string) => RegistryCredentials | undefined;
  /** No byte for so long counts as a broken connection; default 30 s. */
  readonly stallTimeoutMs?: number;
  /** Tries of one layer's download without progress; the defaults ride out 10 minutes. */
  readonly retryPolicy?: Partial<RetryPolicy>;
  readonly log?: Logger | undefined;
  /** Ends everything that the source does. */
  readonly signal?: AbortSignal | undefined;
}

/** A disk that is half written is worth a long wait; the server gives up a silent installer after 15 minutes. */
const defaultPolicy: RetryPolicy = {
  ...{ attempts: Number.POSITIVE_INFINITY, giveUpAfterMs: 10 * 60_000, countsHints: true },
  ...{ firstDelayMs: 250, longestDelayMs: 10_000, random: Math.random },
};
/** A registry that asks for time gets it, also beyond this. */
const firstLook = { attempts: 12, giveUpAfterMs: 60_000 };
const smallAttempts = 5;
/** With stalls of 30 s a second try is made and no third: whoever mistyped an address waits a minute, not many. */
const smallGiveUpAfterMs = 45_000;
const defaultStallTimeoutMs = 30_000;

/**
 * A registry (distribution-spec) as an image source.
 * @throws ProvisionError `usage` for an unusable CA file.
 */
export async function openRegistrySource(
  reference: RegistryReference,
  options: RegistrySourceOptions,
): Promise<ImageSource> {
  return new RegistrySource(reference, options, await createDispatcher(options));
}

class RegistrySource implements ImageSource {
  readonly description: string;
  readonly #reference: RegistryReference;
  readonly #dispatcher: Awaited<ReturnType<typeof createDispatcher>>;
  readonly #client: RegistryClient;
  readonly #policy: RetryPolicy;
  /** For the beginnings of layers, before anything is written. */
  readonly #firstLookPolicy: RetryPolicy;
  /** For manifests and configs. */
  readonly #smallPolicy: RetryPolicy;
  readonly #log: Logger;
  readonly #closed = new AbortController();
  readonly #signal: AbortSignal;

  constructor(
    reference: RegistryReference,
    options: RegistrySourceOptions,
    dispatcher: Awaited<ReturnType<typeof createDispatcher>>,
  ) {
    this.description = reference.canonical;
    this.#reference = reference;
    this.#dispatcher = dispatcher;
    this.#policy = { ...defaultPolicy, ...options.retryPolicy };
    this.#firstLookPolicy = shorter(this.#policy, firstLook);
    this.#smallPolicy = shorter(this.#policy, { attempts: smallAttempts, giveUpAfterMs: smallGiveUpAfterMs });
    this.#log = options.log ?? silentLogger;
    this.#signal = options.signal ? AbortSignal.any([options.signal, this.#closed.signal]) : this.#closed.signal;
    this.#client = new RegistryClient({
      dispatcher,
      origin: new URL(`${options.plainHttp ? 'http' : 'https'}://${reference.host}`),
      registry: reference.registry,
      credentials: options.credentials,
      stallTimeoutMs: options.stallTimeoutMs ?? defaultStallTimeoutMs,
      log: this.#log,
      signal: this.#signal,
    });
  }

  async resolve(platform: Platform, { signal }: { readonly signal: AbortSignal }) {
    const reader = {
      reference: this.description,
      readRoot: (each: AbortSignal) => this.#readRoot(each),
      readManifest: async (descriptor: Descriptor, each: AbortSignal) =>
        (await this.#getManifest(descriptor.digest, each)).bytes,
      readConfig: (descriptor: Descriptor, each: AbortSignal) => this.#readConfig(descriptor, each),
    };
    return await resolveImage(reader, platform, this.#withOwn(signal));
  }

  openBlob(descriptor: Descriptor, options: OpenBlobOptions): Readable {
    return this.#openBlob(descriptor, options, options.isFirstLook === true ? this.#firstLookPolicy : this.#policy);
  }

  #openBlob(descriptor: Descriptor, options: OpenBlobOptions, policy: RetryPolicy): Readable {
    const label = describeDescriptor(descriptor);
    const path = `/v2/${this.#reference.name}/blobs/${descriptor.digest}`;
    return createBlobStream({
      request: (range, signal) =>
        this.#client.get(path, {
          headers: range === undefined ? {} : { range },
          what: label,
          okStatuses: [200, 206, 416],
          signal,
        }),
      label,
      ...blobRange(descriptor, options),
      totalBytes: descriptor.sizeBytes,
      policy,
      onResume: options.onResume,
      log: this.#log,
      signal: this.#withOwn(options.signal),
    });
  }

  async close(): Promise<void> {
    this.#closed.abort(new ProvisionError('aborted', `the connection to ${this.#reference.registry} was closed`));
    await this.#dispatcher.destroy();
  }

  async #readRoot(signal: AbortSignal): Promise<RootDocument> {
    const { digest, tag } = this.#reference;
    const { bytes, mediaType, servedDigest } = await this.#getManifest(digest ?? tag ?? 'latest', signal);
    const served = servedDigest !== undefined && isDigest(servedDigest) ? servedDigest : null;
    const expected = digest ?? served;
    const actual = digestOf(bytes, expected);
    if (expected !== null && actual !== expected) {
      throw new ProvisionError(
        'digest_mismatch',
        `the manifest of ${this.description} has the digest ${actual} where ${expected} was expected`,
        {
          facts: { digest: actual, expected_digest: expected },
        },
      );
    }
    return { bytes, mediaType, digest: actual };
  }

  async #getManifest(tagOrDigest: string, signal: AbortSignal) {
    const what = tagOrDigest.includes(':') ? `the manifest ${tagOrDigest}` : `the manifest of ${this.description}`;
    return await this.#retrySmall(signal, async () => {
      const response = await this.#client.get(`/v2/${this.#reference.name}/manifests/${tagOrDigest}`, {
        headers: { accept: acceptedManifests },
        what,
        okStatuses: [200],
        signal,
      });
      return {
        bytes: await readBody(response, largestManifestBytes),
        mediaType: response.header('content-type') ?? null,
        servedDigest: response.header('docker-content-digest'),
      };
    });
  }

  async #readConfig(descriptor: Descriptor, signal: AbortSignal): Promise<Uint8Array> {
    const parts: Buffer[] = [];
    if (descriptor.sizeBytes > largestConfigBytes) throw new ProvisionError('invariant', 'an unchecked config size');
    for await (const chunk of this.#openBlob(descriptor, { signal }, this.#smallPolicy)) parts.push(chunk);
    return Buffer.concat(parts);
  }

  async #retrySmall<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    return await retry(attempt, {
      ...this.#smallPolicy,
      signal,
      delayHintMs: (error) => retryAfterOf(error, this.#policy.random),
      onRetry: (error, number, delayMs) =>
        this.#log.warn({ attempt: number, delay_ms: delayMs, reason: error.message }, 'trying again'),
    });
  }

  #withOwn(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#signal]);
  }
}

function shorter(policy: RetryPolicy, most: Pick<RetryPolicy, 'attempts' | 'giveUpAfterMs'>): RetryPolicy {
  const attempts = Math.min(most.attempts, policy.attempts);
  return { ...policy, attempts, giveUpAfterMs: Math.min(most.giveUpAfterMs, policy.giveUpAfterMs), countsHints: false };
}
