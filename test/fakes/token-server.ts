import { randomUUID, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import type { Resources } from '../resources.ts';
import { listenOnLoopback } from './listen-on-loopback.ts';

export interface TokenServer {
  realm: string;
  readonly issuer: string;
  readonly service: string;
  /** Certificate of the signing key, for the registry's `rootcertbundle`. */
  readonly certFile: string;
  /** `expires_in` of the answers, when it is to differ from the truth. */
  saidLifetimeSeconds: number | null;
  /** What clients asked for, in order. */
  readonly requests: { readonly scopes: readonly string[]; readonly authorization: string | null }[];
}

export interface TokenServerOptions {
  /** Life of a token as the registry sees it; default 300 s. */
  readonly lifetimeSeconds?: number;
}

/**
 * A token server as distribution specifies it: gives everyone who asks the access they ask for, as a JWT (RS256,
 * certificate in `x5c`).
 */
export async function startTokenServer(resources: Resources, options: TokenServerOptions = {}): Promise<TokenServer> {
  const dir = resources.tempDir('durantic-token-');
  const [keyFile, certFile] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  await runCommand('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=durantic token server'],
    ...['-keyout', keyFile, '-out', certFile],
  ]);
  const key = await readFile(keyFile, 'utf8');
  const certificate = (await readFile(certFile, 'utf8')).replace(/-----[A-Z ]+-----|\s/g, '');
  const identity = { issuer: 'durantic-test', service: 'durantic-registry' };
  const result: TokenServer = { realm: '', ...identity, certFile, requests: [], saidLifetimeSeconds: null };
  const lifetimeSeconds = options.lifetimeSeconds ?? 300;

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const scopes = url.searchParams.getAll('scope');
    result.requests.push({ scopes, authorization: request.headers.authorization ?? null });
    const nowSeconds = Math.floor(Date.now() / 1000);
    const token = makeToken(key, certificate, {
      iss: identity.issuer,
      sub: '',
      aud: url.searchParams.get('service'),
      exp: nowSeconds + lifetimeSeconds,
      nbf: nowSeconds - 10,
      iat: nowSeconds,
      jti: randomUUID(),
      access: scopes.flatMap(toAccess),
    });
    sendJson(response, { token, expires_in: result.saidLifetimeSeconds ?? lifetimeSeconds });
  });
  const { origin } = await listenOnLoopback(resources, server);
  result.realm = `${origin}/token`;
  return result;
}

function makeToken(key: string, certificate: string, claims: object): string {
  const header = { typ: 'JWT', alg: 'RS256', x5c: [certificate] };
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

// `repository:os/debian:pull,push`; the name may hold colons only as part of a port.
function toAccess(scope: string): object[] {
  const match = /^([a-z]+):(.+):([a-z,*]+)$/.exec(scope);
  return match ? [{ type: match[1], name: match[2], actions: match[3]?.split(',') }] : [];
}

function sendJson(response: ServerResponse, value: object): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}
