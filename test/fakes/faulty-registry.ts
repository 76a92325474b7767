import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { join } from 'node:path';
import type { Certificates } from '../builders/certificates.ts';
import type { Resources } from '../resources.ts';
import { type Fault, type FaultAction, FaultScript, type RequestFacts } from './fault-script.ts';
import { listenOnLoopback } from './listen-on-loopback.ts';
import { sendBlob } from './send-blob.ts';

export interface FaultyRegistryOptions {
  /** An OCI layout directory; its tags are served under any repository name. */
  readonly image: string;
  readonly script?: readonly Fault[];
  /** Blobs are redirected to a second server, another origin, by URLs with a signature. */
  readonly storage?: {
    /** Requests that one signature is good for; default any number. */ readonly usesPerSignature?: number;
  };
  /** Bearer tokens are wanted. */
  readonly tokens?: {
    /** Requests that one token is good for; default any number. */
    readonly usesPerToken?: number;
    /** How long the token server thinks. */
    readonly delayMs?: number;
  };
  readonly tls?: Certificates;
}

export interface SeenRequest extends RequestFacts {
  readonly path: string;
  readonly query: string;
  readonly range: string | null;
  readonly authorization: string | null;
  /** Known when the answer is over. */
  status: number;
  /** Body bytes of a blob that the kernel has taken so far. */
  sentBytes: number;
}

export interface FaultyRegistry {
  /** `127.0.0.1:PORT`; the storage's differs. */
  readonly host: string;
  readonly storageHost: string;
  readonly script: FaultScript;
  /** All requests in order of arrival. */
  readonly requests: readonly SeenRequest[];
  /** The requests for one blob that were answered with bytes, or all blobs'. */
  blobRequests(digest?: string): readonly SeenRequest[];
  /** Waits until what is known of every request is final: a client may have all bytes before the server knows it. */
  settled(): Promise<void>;
}

/**
 * A registry of ours that serves an OCI layout and fails by script:
 * `startFaultyRegistry(resources, {image: dir, script: [{digest, times: 10, answer: {kind: 'reset', afterBytes: 9}}]})`.
 */
export async function startFaultyRegistry(
  resources: Resources,
  options: FaultyRegistryOptions,
): Promise<FaultyRegistry> {
  const server = new FaultyServer(options);
  const onRegistry = (request: IncomingMessage, response: ServerResponse): void =>
    server.handle('registry', request, response);
  const { tls } = options;
  const front = tls
    ? createTlsServer({ cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) }, onRegistry)
    : createServer(onRegistry);
  const registry = await listenOnLoopback(resources, front);
  const back = createServer((request, response) => server.handle('storage', request, response));
  const storage = await listenOnLoopback(resources, back);
  server.registryOrigin = tls ? registry.origin.replace('http:', 'https:') : registry.origin;
  server.storageOrigin = storage.origin;
  const { script, requests } = server;
  const blobRequests = (digest?: string): SeenRequest[] =>
    requests.filter((seen) => seen.on === 'blob' && (digest === undefined || seen.digest === digest));
  return {
    host: registry.host,
    storageHost: storage.host,
    script,
    requests,
    blobRequests,
    settled: () => server.settled(),
  };
}

class FaultyServer {
  readonly script: FaultScript;
  readonly requests: SeenRequest[] = [];
  registryOrigin = '';
  storageOrigin = '';
  readonly #options: FaultyRegistryOptions;
  readonly #answers: Promise<void>[] = [];
  readonly #tokenUses = new Map<string, number>();
  readonly #signatureUses = new Map<string, number>();

  constructor(options: FaultyRegistryOptions) {
    this.#options = options;
    this.script = new FaultScript(options.script ?? []);
  }

  handle(at: 'registry' | 'storage', request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const { on, name } = classify(url.pathname);
    const digest = on === 'manifest' ? this.#manifestDigest(name) : on === 'blob' ? name : null;
    const seen: SeenRequest = {
      ...{ on, at, digest, isRanged: request.headers.range !== undefined },
      ...{ path: url.pathname, query: url.search },
      ...{ range: request.headers.range ?? null, authorization: request.headers.authorization ?? null },
      ...{ status: 0, sentBytes: 0 },
    };
    this.requests.push(seen);
    const answered = this.#answer(seen, url, request, response).then(
      () => void Object.assign(seen, { status: response.statusCode }),
      (error: unknown) => void response.destroy(error instanceof Error ? error : undefined),
    );
    this.#answers.push(answered);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#answers);
  }

  async #answer(seen: SeenRequest, url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const fault = this.script.next(seen);
    if (fault && answerWithoutBlob(fault, response)) return;
    if (seen.on === 'token') return await this.#giveToken(response);
    if (!this.#isAllowed(seen, url)) return this.#refuse(seen, response);
    if (seen.on === 'blob' && seen.at === 'registry' && this.#options.storage) return this.#redirect(seen, response);
    const file = join(this.#options.image, 'blobs', seen.digest?.replace(':', '/') ?? 'none');
    if (!existsSync(file)) {
      const unknown = { code: seen.on === 'blob' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN', message: 'not in the layout' };
      return sendStatus(response, 404, { body: JSON.stringify({ errors: [unknown] }) });
    }
    if (seen.on === 'manifest') response.setHeader('docker-content-digest', seen.digest ?? '');
    const onSent = (sentBytes: number): void => {
      seen.sentBytes = sentBytes;
    };
    const blob = { file, etag: seen.digest ?? '', mediaType: mediaTypeOf(seen, file), onSent };
    await sendBlob(request, response, blob, fault);
  }

  #isAllowed(seen: SeenRequest, url: URL): boolean {
    const { storage, tokens } = this.#options;
    if (seen.at === 'storage') {
      return useOnce(this.#signatureUses, url.searchParams.get('X-Signature') ?? '', storage?.usesPerSignature);
    }
    return !tokens || useOnce(this.#tokenUses, seen.authorization ?? '', tokens.usesPerToken);
  }

  #refuse(seen: SeenRequest, response: ServerResponse): void {
    const expired =
      '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>';
    const wanted = '{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}';
    const challenge = `Bearer realm="${this.registryOrigin}/token",service="faulty",scope="repository:x:pull"`;
    if (seen.at === 'storage') sendStatus(response, 403, { body: expired });
    else sendStatus(response, 401, { headers: { 'www-authenticate': challenge }, body: wanted });
  }

  async #giveToken(response: ServerResponse): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.#options.tokens?.delayMs ?? 0));
    const token = randomUUID();
    this.#tokenUses.set(`Bearer ${token}`, 0);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ token, expires_in: 3600 }));
  }

  #redirect(seen: SeenRequest, response: ServerResponse): void {
    const signature = randomUUID();
    this.#signatureUses.set(signature, 0);
    response
      .writeHead(307, { location: `${this.storageOrigin}/v2/storage/blobs/${seen.digest}?X-Signature=${signature}` })
      .end();
  }

  #manifestDigest(name: string): string | null {
    if (name.includes(':')) return name;
    const index = JSON.parse(readFileSync(join(this.#options.image, 'index.json'), 'utf8')) as {
      manifests: { digest: string; annotations?: Record<string, string> }[];
    };
    const tagged = index.manifests.find(
      ({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === name,
    );
    return tagged?.digest ?? null;
  }
}

function classify(path: string): { on: RequestFacts['on']; name: string } {
  if (path === '/token') return { on: 'token', name: '' };
  const match = /^\/v2\/.+\/(manifest|blob)s\/([^/]+)$/.exec(path);
  return match ? { on: match[1] as 'manifest' | 'blob', name: match[2] ?? '' } : { on: 'other', name: '' };
}

function mediaTypeOf(seen: SeenRequest, file: string): string {
  if (seen.on !== 'manifest') return 'application/octet-stream';
  return (JSON.parse(readFileSync(file, 'utf8')) as { mediaType: string }).mediaType;
}

// Unknown keys are refused; known ones are good for a number of uses.
function useOnce(uses: Map<string, number>, key: string, limit = Number.POSITIVE_INFINITY): boolean {
  const used = uses.get(key);
  if (used === undefined || used >= limit) return false;
  uses.set(key, used + 1);
  return true;
}

function answerWithoutBlob(fault: FaultAction, response: ServerResponse): boolean {
  if (fault.kind === 'status') sendStatus(response, fault.status, fault);
  else if (fault.kind === 'redirect') response.writeHead(fault.status ?? 307, { location: fault.location }).end();
  else return fault.kind === 'silence';
  return true;
}

function sendStatus(
  response: ServerResponse,
  status: number,
  answer: { headers?: Readonly<Record<string, string>>; body?: string },
): void {
  response.writeHead(status, answer.headers ?? {}).end(answer.body ?? '');
}
