import type { Dispatcher } from 'undici';
import { ProvisionError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { RegistryAuth, type RegistryCredentials } from './auth.ts';
import { type HttpResponse, httpGet } from './http-get.ts';
import { statusError } from './status-error.ts';

export interface RegistryClientOptions {
  readonly dispatcher: Dispatcher;
  /** `http://host:port` or `https://host:port`. */
  readonly origin: URL;
  readonly registry: string;
  readonly credentials: ((registry: string) => RegistryCredentials | undefined) | undefined;
  readonly stallTimeoutMs: number;
  readonly log: Logger;
  /** Ends with the source. */
  readonly signal: AbortSignal;
}

export interface RegistryGetOptions {
  readonly headers: Readonly<Record<string, string>>;
  /** For messages: `layer 3 (sha256:…)`. */
  readonly what: string;
  readonly okStatuses: readonly number[];
  readonly signal: AbortSignal;
}

/** GET requests to one registry: authenticates, follows redirects, turns every unwanted status into an error. */
export class RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #auth: RegistryAuth;

  constructor(options: RegistryClientOptions) {
    this.#options = options;
    this.#auth = new RegistryAuth({ ...options, plainHttp: options.origin.protocol === 'http:' });
  }

  /**
   * One attempt, always beginning at the registry, so that an expired signed URL or token is replaced by asking
   * again. A 401 (or 403 to a token) is answered once with a new token.
   * @throws ProvisionError as `httpGet`, and by status `registry_auth`, `image_not_found`, `registry_rate_limited`,
   * `registry_error`.
   */
  async get(path: string, options: RegistryGetOptions): Promise<HttpResponse> {
    const used = await this.#auth.authorization(options.signal);
    const first = await this.#send(path, used, options);
    // Some registries answer an expired token with 403.
    const isRefused = first.status === 401 || (first.status === 403 && used !== undefined);
    if (!isRefused || this.#isElsewhere(first)) return await this.#accept(first, options);
    this.#auth.refused(first.header('www-authenticate'), used);
    first.discard();
    const second = await this.#send(path, await this.#auth.authorization(options.signal), options);
    return await this.#accept(second, options);
  }

  async #send(path: string, authorization: string | undefined, options: RegistryGetOptions): Promise<HttpResponse> {
    const { dispatcher, origin, log, stallTimeoutMs } = this.#options;
    return await httpGet(dispatcher, new URL(path, origin), {
      headers: options.headers,
      ...(authorization === undefined ? {} : { authorization: { origin: origin.origin, value: authorization } }),
      stallTimeoutMs,
      log,
      signal: options.signal,
    });
  }

  async #accept(response: HttpResponse, options: RegistryGetOptions): Promise<HttpResponse> {
    if (options.okStatuses.includes(response.status)) return response;
    const error = await statusError(response, options.what);
    const isRefusedElsewhere = this.#isElsewhere(response) && response.status >= 400 && response.status < 500;
    if (!isRefusedElsewhere || error.retryable) throw error;
    // Storage behind a redirect refuses a signed URL that has expired (403, some 400 or 404): a new one may do.
    throw new ProvisionError('registry_error', error.message, { facts: error.facts, retryable: true });
  }

  #isElsewhere(response: HttpResponse): boolean {
    return response.url.origin !== this.#options.origin.origin;
  }
}
