import type { Dispatcher } from 'undici';
import { z } from 'zod';
import { abortError } from '../base/abort.ts';
import { ProvisionError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { type AuthChallenge, parseAuthChallenges } from './auth-challenge.ts';
import { httpGet, readBody } from './http-get.ts';
import { statusError } from './status-error.ts';
import { safeUrl } from './transport-error.ts';

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}

/** Credentials with the registry that they are for, as `docker login` names it: `docker.io`, `registry.example:5000`. */
export interface NamedCredentials extends RegistryCredentials {
  readonly registry: string;
}

export interface RegistryAuthOptions {
  readonly dispatcher: Dispatcher;
  /** What the registry's credentials are kept under. */
  readonly registry: string;
  /** The registry talks plain HTTP, so its token server may as well. */
  readonly plainHttp: boolean;
  readonly credentials: ((registry: string) => RegistryCredentials | undefined) | undefined;
  readonly stallTimeoutMs: number;
  readonly log: Logger;
  /** Ends with the source. */
  readonly signal: AbortSignal;
  /** Monotonic clock in milliseconds; injectable for tests. */
  readonly nowMs?: () => number;
}

interface CachedAuthorization {
  readonly value: string;
  readonly expiresAtMs: number;
}

const tokenSchema = z.object({
  token: z.string().min(1).optional(),
  access_token: z.string().min(1).optional(),
  expires_in: z.number().positive().optional(),
});

// distribution's token specification: a token without expires_in lives 60 s.
const defaultLifetimeSeconds = 60;
const largestTokenBytes = 1024 * 1024;

/**
 * What a registry wants to see before it answers: the Authorization of the last challenge, renewed before it expires
 * (Bearer: distribution "Token Authentication Specification"; Basic: RFC 7617).
 */
export class RegistryAuth {
  readonly #options: RegistryAuthOptions;
  #challenge: AuthChallenge | undefined;
  #cached: CachedAuthorization | undefined;
  #pending: Promise<CachedAuthorization> | undefined;

  constructor(options: RegistryAuthOptions) {
    this.#options = options;
  }

  /** The header's value, or undefined as long as the registry has not asked for one. */
  async authorization(signal: AbortSignal): Promise<string | undefined> {
    if (!this.#challenge) return undefined;
    if (this.#cached && this.#cached.expiresAtMs > this.#now()) return this.#cached.value;
    return await this.#renew(this.#challenge, signal);
  }

  /**
   * Answers a 401 or 403: forgets the authorization that was `used` and takes the new challenge, if there is one.
   * Another than the `used` one stays: some other download has met the same refusal and renewed it.
   * @throws ProvisionError `registry_auth` when the challenge cannot be answered.
   */
  refused(wwwAuthenticate: string | undefined, used: string | undefined): void {
    const challenges = parseAuthChallenges(wwwAuthenticate ?? '');
    const challenge =
      challenges.find(({ scheme }) => scheme === 'bearer') ?? challenges.find(({ scheme }) => scheme === 'basic');
    this.#challenge = challenge ?? this.#challenge;
    if (this.#cached?.value === used) this.#cached = undefined;
    if (this.#challenge) return;
    const asked = challenges.map(({ scheme }) => scheme).join(', ') || 'none named';
    throw new ProvisionError(
      'registry_auth',
      `${this.#options.registry} asks for a login of an unknown kind (${asked})`,
    );
  }

  async #renew(challenge: AuthChallenge, signal: AbortSignal): Promise<string> {
    if (signal.aborted) throw abortError(signal);
    this.#pending ??= this.#fetch(challenge)
      .then((fetched) => {
        this.#cached = fetched;
        return fetched;
      })
      .finally(() => {
        this.#pending = undefined;
      });
    return (await abortable(this.#pending, signal)).value;
  }

  async #fetch(challenge: AuthChallenge): Promise<CachedAuthorization> {
    const { registry } = this.#options;
    const credentials = this.#options.credentials?.(registry);
    if (challenge.scheme === 'basic') {
      if (credentials) return { value: basic(credentials), expiresAtMs: Number.POSITIVE_INFINITY };
      throw new ProvisionError('registry_auth', `${registry} asks for a user name and password`);
    }
    return await this.#fetchToken(this.#tokenUrl(challenge), credentials);
  }

  async #fetchToken(url: URL, credentials: RegistryCredentials | undefined): Promise<CachedAuthorization> {
    const { dispatcher, log, signal, stallTimeoutMs } = this.#options;
    const startedMs = this.#now();
    const response = await httpGet(dispatcher, url, {
      headers: { accept: 'application/json' },
      ...(credentials ? { authorization: { origin: url.origin, value: basic(credentials) } } : {}),
      stallTimeoutMs,
      log,
      signal,
    });
    if (response.status !== 200) throw await statusError(response, `a token from ${safeUrl(url)}`);
    const answer = tokenSchema.safeParse(parseJson(await readBody(response, largestTokenBytes)));
    const token = answer.data?.token ?? answer.data?.access_token;
    if (!token || /[^\x21-\x7e]/.test(token)) {
      throw new ProvisionError('registry_auth', `the token server ${safeUrl(url)} answered without a usable token`);
    }
    const lifetimeMs = (answer.data?.expires_in ?? defaultLifetimeSeconds) * 1000;
    log.debug({ url: safeUrl(url), lifetime_ms: lifetimeMs }, 'got a registry token');
    // Renewed a tenth of its life early, so that it does not expire on the way. issued_at is ignored: clocks differ.
    return { value: `Bearer ${token}`, expiresAtMs: startedMs + lifetimeMs * 0.9 };
  }

  #tokenUrl(challenge: AuthChallenge): URL {
    const { realm, service, scope } = challenge.parameters;
    const { registry, plainHttp } = this.#options;
    if (realm === undefined || !URL.canParse(realm)) {
      throw new ProvisionError('registry_auth', `${registry} asks for a token without saying where to get one`);
    }
    const url = new URL(realm);
    if (url.protocol !== 'https:' && !(plainHttp && url.protocol === 'http:')) {
      throw new ProvisionError(
        'registry_auth',
        `${registry} asks for a token from ${safeUrl(url)}, which is not HTTPS`,
      );
    }
    url.username = '';
    url.password = '';
    if (service !== undefined) url.searchParams.set('service', service);
    for (const part of scope?.split(' ').filter(Boolean) ?? []) url.searchParams.append('scope', part);
    return url;
  }

  #now(): number {
    return this.#options.nowMs?.() ?? performance.now();
  }
}

function basic({ username, password }: RegistryCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

// The token is shared, so one caller's abort must not end it for the others.
async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(abortError(signal));
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
