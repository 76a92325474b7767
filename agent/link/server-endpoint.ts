import type { Socket } from 'node:net';
import type { Agent } from 'undici';
import { ProvisionError } from '../../core/base/errors.ts';
import { pinOfCertificate } from '../../core/pinned-ca/pin.ts';
import type { AgentConfig } from '../config/read-agent-config.ts';
import { fetchServerCa, type SetClock } from '../identity/fetch-server-ca.ts';
import { type AskOptions, askServer, dispatcherOver } from './ask-server.ts';
import { dialServer, type Trust } from './dial.ts';
import { type Download, openDownload } from './download.ts';
import { proxyFor } from './proxy-rule.ts';

export type EndpointConfig = Pick<AgentConfig, 'server' | 'plain_http' | 'pin' | 'ca' | 'proxy' | 'no_proxy'>;

export interface EndpointOptions {
  readonly config: EndpointConfig;
  readonly setClock: SetClock;
  readonly onClockSet?: (from: Date, to: Date) => void;
  /** Milliseconds since 1970, injectable. */
  readonly now?: () => number;
}

export const serverTimeoutMs = 15_000;

/**
 * The server as this machine reaches it: origin, trust and proxy, the same for requests and sockets. With a pin the CA
 * is fetched once and fetched again when a certificate was refused.
 */
export class ServerEndpoint implements AsyncDisposable {
  readonly url: URL;
  readonly #options: EndpointOptions;
  readonly #proxy: URL | null;
  readonly #requests: Agent;
  readonly #closing = new AbortController();
  #trust: Trust | null = null;

  /** @throws ProvisionError `usage` for plain HTTP that was not asked for; `document_invalid` for a CA that is not the pin's. */
  constructor(options: EndpointOptions) {
    const { config } = options;
    this.url = new URL(config.server);
    if (this.url.protocol !== 'https:' && config.plain_http !== true) {
      throw new ProvisionError(
        'usage',
        `${config.server} is plain HTTP, over which anyone can read and change everything; it must be asked for (--plain-http, in agent.yaml plain_http: true)`,
      );
    }
    this.#options = options;
    this.#proxy = proxyFor(this.url, config);
    this.#trust = this.#fixedTrust();
    this.#requests = dispatcherOver(async () => await this.dial(this.#closing.signal));
  }

  /** The proxy that connections to the server take, or null. */
  get proxy(): URL | null {
    return this.#proxy;
  }

  /** `https://host:8443`, what a hello's signature names. */
  get origin(): string {
    return this.url.origin;
  }

  /** @throws ProvisionError as `dialServer` and `fetchServerCa`. */
  async dial(signal: AbortSignal): Promise<Socket> {
    const trust = this.#trust ?? (await this.#pinnedTrust(signal));
    try {
      const common = { server: this.url, proxy: this.#proxy, timeoutMs: serverTimeoutMs, signal };
      const socket = await dialServer({ ...common, trust });
      this.#trust = trust;
      return socket;
    } catch (error) {
      const isRefused = error instanceof ProvisionError && ['server_untrusted', 'clock_wrong'].includes(error.code);
      // The CA's certificate may have been renewed (same key), or the clock changed.
      if (isRefused) this.#trust = this.#fixedTrust();
      throw error;
    }
  }

  /** One JSON request. @throws ProvisionError as `askServer` and `dial`. */
  async ask<T>(path: string, options: Omit<AskOptions<T>, 'timeoutMs'>): Promise<T> {
    return await askServer(this.#requests, new URL(path, this.url), { timeoutMs: 2 * serverTimeoutMs, ...options });
  }

  /** One file. @throws ProvisionError as `openDownload` and `dial`. */
  async download(path: string, signal: AbortSignal): Promise<Download> {
    return await openDownload(this.#requests, new URL(path, this.url), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#requests.destroy();
  }

  #fixedTrust(): Trust | null {
    const { ca, pin } = this.#options.config;
    if (ca !== undefined && pin !== undefined && pinOfCertificate(ca) !== pin) {
      throw new ProvisionError('document_invalid', 'the CA certificate (ca) is not the one that the pin names');
    }
    // Plain HTTP verifies nothing; with a pin the CA is asked for, because the clock may need to be set.
    if (this.url.protocol !== 'https:') return { kind: 'none' };
    if (pin !== undefined) return null;
    return ca === undefined ? { kind: 'system' } : { kind: 'ca', pem: ca };
  }

  async #pinnedTrust(signal: AbortSignal): Promise<Trust> {
    const { config, ...rest } = this.#options;
    const common = { server: this.url, proxy: this.#proxy, timeoutMs: serverTimeoutMs, signal };
    return { kind: 'ca', pem: await fetchServerCa({ ...rest, ...common, pin: config.pin ?? '' }) };
  }
}
