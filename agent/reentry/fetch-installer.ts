import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, renameSync, rmSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ErrorCode } from '../../core/base/error-codes.ts';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { retry } from '../../core/base/retry.ts';
import { readJsonFile } from '../identity/read-json-file.ts';
import { syncFolder, writePrivateFile } from '../identity/write-private-file.ts';
import type { ServerEndpoint } from '../link/server-endpoint.ts';
import { assertRoom } from './assert-room.ts';

export interface CachedInstaller {
  /** The installer's kernel, which holds everything that it needs. */
  readonly path: string;
  /** Hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface FetchInstallerOptions {
  readonly endpoint: Pick<ServerEndpoint, 'download' | 'url'>;
  /** `/var/lib/durantic/installer` */
  readonly cacheDir: string;
  readonly onProgress: (message: string) => void;
  readonly signal: AbortSignal;
  /** Injectable for tests. */
  readonly firstDelayMs?: number;
}

const record = z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size_bytes: z.int().positive() });

/** Larger than any installer: what is longer is something else. */
const mostBytes = 1024 * 1024 * 1024;
const digestAnswerBytes = 1024;

/**
 * The installer of the server, from the cache where that has exactly what the server has now (read and hashed anew each
 * time), else fetched: whole and with the digest that the server named over its verified connection, or not at all.
 * @throws ProvisionError `installer_unreachable` for a server without one; `space_insufficient`; `digest_mismatch`,
 * `size_mismatch`; what dialling and requests throw; `permission`, `aborted`.
 */
export async function fetchInstaller(options: FetchInstallerOptions): Promise<CachedInstaller> {
  const attempts = { attempts: 5, firstDelayMs: options.firstDelayMs ?? 1000, longestDelayMs: 15_000 } as const;
  const common = { ...attempts, signal: options.signal };
  const sha256 = await retry(async () => await askDigest(options), common);
  const cached = await readCached(options.cacheDir, sha256, options.signal);
  if (cached !== null) return cached;
  try {
    return await retry(async () => await fetchOnce(sha256, options), common);
  } catch (error) {
    if (!(error instanceof ProvisionError) || !mismatches.has(error.code)) throw error;
    // The server's file may have been replaced between the two answers.
    const newer = await retry(async () => await askDigest(options), common);
    if (newer === sha256) throw error;
    return await retry(async () => await fetchOnce(newer, options), common);
  }
}

const mismatches: ReadonlySet<string> = new Set<ErrorCode>(['digest_mismatch', 'size_mismatch']);

async function askDigest({ endpoint, signal }: FetchInstallerOptions): Promise<string> {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  const { body } = await open(endpoint, '/boot/vmlinuz.sha256', signal);
  for await (const part of body) {
    sizeBytes += part.length;
    if (sizeBytes > digestAnswerBytes) break;
    parts.push(part);
  }
  const digest = /^([0-9a-f]{64})\s/.exec(Buffer.concat(parts).toString('latin1'))?.[1];
  if (digest !== undefined) return digest;
  const message = `${endpoint.url.host} does not say what the digest of its installer is`;
  throw new ProvisionError('server_answer_invalid', message);
}

async function open(endpoint: FetchInstallerOptions['endpoint'], path: string, signal: AbortSignal) {
  try {
    return await endpoint.download(path, signal);
  } catch (error) {
    if (!(error instanceof ProvisionError) || error.code !== 'object_not_found') throw error;
    throw new ProvisionError('installer_unreachable', 'the server has no installer to give', { cause: error });
  }
}

/** What the cache has, when it is the wanted one and undamaged. */
async function readCached(dir: string, sha256: string, signal: AbortSignal): Promise<CachedInstaller | null> {
  const path = join(dir, 'vmlinuz');
  try {
    const known = readJsonFile(join(dir, 'vmlinuz.json'), record);
    if (known?.sha256 !== sha256) return null;
    const found = await hashFile(path, signal);
    return found.sha256 === sha256 ? { path, ...found } : null;
  } catch (error) {
    if (signal.aborted) throw error;
    return null;
  }
}

async function fetchOnce(sha256: string, options: FetchInstallerOptions): Promise<CachedInstaller> {
  const { endpoint, cacheDir, signal } = options;
  const path = join(cacheDir, 'vmlinuz');
  const temporary = `${path}.new`;
  mkdirSync(cacheDir, { recursive: true, mode: 0o700 });
  // An older one is of no use, and the room may be short.
  for (const name of ['vmlinuz.json', 'vmlinuz', 'vmlinuz.new']) rmSync(join(cacheDir, name), { force: true });
  const { sizeBytes, body } = await open(endpoint, '/boot/vmlinuz', signal);
  if (sizeBytes !== null) {
    assertRoom(cacheDir, sizeBytes, 'the installer');
    options.onProgress(`fetching the installer, ${Math.ceil(sizeBytes / 1024 / 1024)} MiB`);
  }
  try {
    const found = await writeBody(temporary, body);
    checkBytes(found, { sha256, sizeBytes });
    renameSync(temporary, path);
    syncFolder(cacheDir);
    const known: z.infer<typeof record> = { sha256, size_bytes: found.sizeBytes };
    writePrivateFile(join(cacheDir, 'vmlinuz.json'), `${JSON.stringify(known)}\n`);
    return { path, ...found };
  } catch (cause) {
    rmSync(temporary, { force: true });
    if (errnoOf(cause) !== 'ENOSPC') throw cause;
    throw new ProvisionError('space_insufficient', `${cacheDir} has no room for the installer`, { cause });
  }
}

/** The answer is not what was announced: another one may be, when the server's file was replaced in between. */
function checkBytes(
  found: { readonly sha256: string; readonly sizeBytes: number },
  wanted: { readonly sha256: string; readonly sizeBytes: number | null },
): void {
  if (wanted.sizeBytes !== null && found.sizeBytes !== wanted.sizeBytes) {
    const message = `the installer has ${found.sizeBytes} bytes where the server announced ${wanted.sizeBytes}`;
    throw new ProvisionError('size_mismatch', message);
  }
  if (found.sha256 === wanted.sha256) return;
  throw new ProvisionError(
    'digest_mismatch',
    'the installer that was fetched is not the one whose digest the server gave',
    {
      facts: { expected: wanted.sha256, found: found.sha256 },
    },
  );
}

async function writeBody(path: string, body: AsyncIterable<Uint8Array>) {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  // Flushing it takes seconds on a slow disk: the heartbeat must go on.
  await using file = await openFile(path, 'wx', 0o600);
  for await (const chunk of body) {
    sizeBytes += chunk.length;
    if (sizeBytes > mostBytes) throw new ProvisionError('size_mismatch', 'what the server sends is no installer');
    hash.update(chunk);
    for (let done = 0; done < chunk.length; ) done += (await file.write(chunk, done)).bytesWritten;
  }
  await file.sync();
  return { sha256: hash.digest('hex'), sizeBytes };
}

/** SHA-256 and size of a file. */
export async function hashFile(path: string, signal: AbortSignal): Promise<{ sha256: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of createReadStream(path, { signal, highWaterMark: 1024 * 1024 })) {
    hash.update(chunk as Buffer);
    sizeBytes += (chunk as Buffer).length;
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}
