import { request } from 'node:http';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import {
  connect as connectTls,
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import { abortError } from '../../core/base/abort.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { serverConnectError } from '../../core/pinned-ca/server-connect-error.ts';
import { type DialVia, dialVia } from './dial-via.ts';
import { hostOf, portOf } from './proxy-rule.ts';
import { untilReady } from './until-ready.ts';

/**
 * What a server's certificate is checked against: the one root that was pinned or configured, the system's roots, or
 * nothing, which is for connections that carry no secret and believe nothing they are told.
 */
export type Trust =
  | { readonly kind: 'ca'; readonly pem: string }
  | { readonly kind: 'system' }
  | { readonly kind: 'none' };

export interface DialOptions {
  readonly server: URL;
  readonly trust: Trust;
  readonly proxy: URL | null;
  readonly timeoutMs: number;
  /** The only way out to use; without it the machine's routes and resolver decide. */
  readonly via?: DialVia;
  readonly signal: AbortSignal;
}

// Node gives each address 0.25 to 0.5 s, too little for a slow link to a host with several addresses.
const addressTimeoutMs = 3000;
const keepAliveMs = 30_000;

/**
 * A connection to the server, ready for HTTP: directly or through a proxy (CONNECT, RFC 9110 section 9.3.6), with TLS
 * verified as `trust` says. Sockets and requests use this one way.
 * @throws ProvisionError `server_unreachable`, `server_untrusted`, `clock_wrong`, `aborted`.
 */
export async function dialServer(options: DialOptions): Promise<Socket> {
  const { server, signal } = options;
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const either = AbortSignal.any([signal, deadline]);
  try {
    const context = contextOf(options.trust);
    const raw =
      options.proxy === null ? await dialTcp(server, options, either) : await dialProxy(options.proxy, options, either);
    const socket = server.protocol === 'https:' ? await startTls(raw, { ...options, context }, either) : raw;
    return socket.setNoDelay(true).setKeepAlive(true, keepAliveMs);
  } catch (cause) {
    if (!signal.aborted && deadline.aborted) {
      throw new ProvisionError('server_unreachable', `the server ${server.host} did not answer in time`, {
        facts: { host: server.host },
      });
    }
    throw clockError(cause, server) ?? serverConnectError(cause, server, signal);
  }
}

async function dialTcp(url: URL, { via }: Pick<DialOptions, 'via'>, signal: AbortSignal): Promise<Socket> {
  if (via !== undefined) return await dialVia({ host: hostOf(url), port: portOf(url) }, via, signal);
  const socket = connectTcp({
    host: hostOf(url),
    port: portOf(url),
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: addressTimeoutMs,
  });
  return await untilReady(socket, 'connect', signal);
}

/** A tunnel through the proxy. Its credentials go to the proxy only, and into no message. */
async function dialProxy(proxy: URL, options: DialOptions, signal: AbortSignal): Promise<Socket> {
  const { server } = options;
  const target = `${server.hostname}:${portOf(server)}`;
  const credentials = Buffer.from(`${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`);
  const failure = (why: string, cause?: unknown): ProvisionError =>
    new ProvisionError('server_unreachable', `the proxy ${proxy.host} ${why}`, { cause, facts: { proxy: proxy.host } });
  const connection = await connectToProxy(proxy, options, signal).catch((cause: unknown) => {
    throw signal.aborted ? abortError(signal) : failure('cannot be reached', cause);
  });
  return await new Promise((resolve, reject) => {
    request({
      createConnection: () => connection,
      method: 'CONNECT',
      path: target,
      headers: {
        host: target,
        ...(proxy.username === '' ? {} : { 'proxy-authorization': `Basic ${credentials.toString('base64')}` }),
      },
      signal,
    })
      .once('connect', (response, socket, head) => {
        if (response.statusCode !== 200) {
          socket.destroy();
          return reject(failure(`refuses the connection to ${target} (${response.statusCode})`));
        }
        if (head.length > 0) socket.unshift(head);
        resolve(socket as Socket);
      })
      .once('response', (response) => {
        response.destroy();
        reject(failure(`answers ${response.statusCode} where a tunnel was asked for`));
      })
      .once('error', (cause) => reject(signal.aborted ? abortError(signal) : failure('cannot be reached', cause)))
      .end();
  });
}

async function connectToProxy(proxy: URL, options: DialOptions, signal: AbortSignal): Promise<Socket> {
  const raw = await dialTcp(proxy, options, signal);
  if (proxy.protocol !== 'https:') return raw;
  return await startTls(raw, { server: proxy, trust: { kind: 'system' }, context: systemContext() }, signal);
}

interface TlsOptions extends Pick<DialOptions, 'server' | 'trust'> {
  readonly context: SecureContext;
}

async function startTls(raw: Socket, { server, trust, context }: TlsOptions, signal: AbortSignal): Promise<TLSSocket> {
  const host = hostOf(server);
  const socket = connectTls({
    socket: raw,
    host,
    // RFC 6066, section 3: no address as name. Node then checks the certificate against `host`.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
    secureContext: context,
    // Written out: the environment (NODE_TLS_REJECT_UNAUTHORIZED) must not switch it off.
    rejectUnauthorized: trust.kind !== 'none',
  });
  return await untilReady(socket, 'secureConnect', signal);
}

function contextOf(trust: Trust): SecureContext {
  if (trust.kind === 'system') return systemContext();
  if (trust.kind === 'none') return createSecureContext();
  try {
    // The pinned CA may be signed by another; it is the root all the same.
    return createSecureContext({ ca: [trust.pem], allowPartialTrustChain: true });
  } catch (cause) {
    throw new ProvisionError('document_invalid', 'the CA certificate of the configuration cannot be read', { cause });
  }
}

let systemRoots: SecureContext | undefined;

/** The system's store, not Node's own list; reading it takes 50 ms. */
function systemContext(): SecureContext {
  systemRoots ??= createSecureContext({ ca: [...new Set(getCACertificates('system'))] });
  return systemRoots;
}

function clockError(cause: unknown, server: URL): ProvisionError | null {
  const code = cause instanceof Error && 'code' in cause ? cause.code : null;
  if (code !== 'CERT_NOT_YET_VALID' && code !== 'CERT_HAS_EXPIRED') return null;
  const localTime = new Date().toISOString();
  const what = code === 'CERT_NOT_YET_VALID' ? 'is not valid yet' : 'has expired';
  return new ProvisionError(
    'clock_wrong',
    `the certificate of the server ${server.host} ${what} at ${localTime}, the time of this machine's clock`,
    { cause, facts: { host: server.host, local_time: localTime } },
  );
}
