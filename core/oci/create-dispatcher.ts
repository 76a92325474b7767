import { readFile } from 'node:fs/promises';
import { createSecureContext, getCACertificates } from 'node:tls';
import { Agent, buildConnector, type Dispatcher, ProxyAgent } from 'undici';
import { ProvisionError } from '../base/errors.ts';

const connectTimeoutMs = 15_000;
// Node gives each address 0.25 to 0.5 s, too little for a slow link to a host with several addresses.
const addressTimeoutMs = 3000;

export interface DispatcherOptions {
  /** PEM certificates trusted besides the system's. */
  readonly caFile?: string | undefined;
  /** URL of an HTTP proxy for every connection: a tunnel for HTTPS, forwarding for plain HTTP. */
  readonly proxy?: string | undefined;
  /** Where else to connect to instead of a `HOST:PORT`; certificates are those of the name all the same. */
  readonly connectTo?: ConnectTo | undefined;
}

/** Keys `HOST:PORT`, lower case, IPv6 without brackets. */
export type ConnectTo = ReadonlyMap<string, { readonly host: string; readonly port: number }>;

/**
 * Connections of one image source. HTTPS trusts the system's CA store (not Node's own list) and the certificates of
 * `caFile` besides.
 * @throws ProvisionError `usage` when the file cannot be read or holds no PEM certificate.
 */
export async function createDispatcher(options: DispatcherOptions): Promise<Dispatcher> {
  const extra = options.caFile === undefined ? [] : [await readCaFile(options.caFile)];
  if (options.proxy !== undefined) return proxyDispatcher(options.proxy, extra);
  const { connectTo } = options;
  const common = {
    timeout: connectTimeoutMs,
    allowH2: false,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: addressTimeoutMs,
  };
  const connectPlain = buildConnector(common);
  let connectTls: buildConnector.connector | undefined;
  return new Agent({
    pipelining: 1,
    bodyTimeout: 0,
    allowH2: false,
    connect: (wanted, callback) => {
      const options = elsewhere(wanted, connectTo);
      if (options.protocol !== 'https:') return connectPlain(options, callback);
      // Reading the store takes 50 ms, which plain HTTP need not pay; one context serves all connections.
      connectTls ??= buildConnector({
        ...common,
        secureContext: createSecureContext({ ca: [...systemRoots(), ...extra] }),
      });
      connectTls(options, callback);
    },
  });
}

function elsewhere(wanted: buildConnector.Options, connectTo: ConnectTo = new Map()): buildConnector.Options {
  const port = wanted.port || (wanted.protocol === 'https:' ? '443' : '80');
  const found = connectTo.get(`${wanted.hostname.replace(/^\[|\]$/g, '').toLowerCase()}:${port}`);
  return found === undefined ? wanted : { ...wanted, hostname: found.host, port: String(found.port) };
}

function proxyDispatcher(proxy: string, extra: readonly string[]): Dispatcher {
  const secureContext = createSecureContext({ ca: [...systemRoots(), ...extra] });
  const tls = { timeout: connectTimeoutMs, allowH2: false, secureContext };
  return new ProxyAgent({ uri: proxy, pipelining: 1, bodyTimeout: 0, allowH2: false, requestTls: tls, proxyTls: tls });
}

// The store is commonly there twice, as one file and as a folder of files.
function systemRoots(): Set<string> {
  return new Set(getCACertificates('system'));
}

async function readCaFile(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ProvisionError('usage', `the CA file ${path} cannot be read`, { cause });
  });
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new ProvisionError('usage', `the CA file ${path} holds no PEM certificate`);
}
