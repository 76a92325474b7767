import { createHash } from 'node:crypto';
import {
  copyFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describeError } from '../../../core/base/describe-error.ts';
import { repoDir } from '../paths.ts';
import type { KernelPin } from './read-kernel-pin.ts';
import { openTemporaryApt } from './temporary-apt.ts';

export interface FetchOptions {
  readonly pin: KernelPin;
  /** Folder that keeps what was downloaded. */
  readonly cacheFolder: string;
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
  /** `KERNEL_TARBALL=` of the environment: a file or an http(s) URL. */
  readonly given?: string | undefined;
}

/** Where the archive may come from: makes it lie at a path, or says undefined when it has none. */
export interface KernelSource {
  readonly name: string;
  readonly find: (options: FetchOptions) => Promise<string | undefined>;
}

/** In the order in which they are tried. */
export const kernelSources: readonly KernelSource[] = [
  { name: 'KERNEL_TARBALL', find: findGiven },
  { name: 'the cache', find: async ({ cacheFolder, pin }) => existing(join(cacheFolder, pin.tarball)) },
  { name: '../shared/kernel', find: async ({ pin }) => existing(join(repoDir, '..', 'shared', 'kernel', pin.tarball)) },
  { name: 'apt-get source', find: downloadWithApt },
  { name: 'kernel.org', find: (options) => download(options.pin.kernelOrgUrl, options) },
];

/**
 * The source archive with the pinned checksum; no other is ever used. Sources that fail or hold something else are named
 * and the next one is tried, but what the person named (KERNEL_TARBALL) is taken or refused. kernel.org's own file of
 * the same version counts only when it is the same file: two compressors make two checksums of one tar.
 * @returns its path, which may lie outside the cache.
 * @throws Error that names every source and what was wrong with it.
 */
export async function fetchKernelSource(
  options: FetchOptions,
  sources: readonly KernelSource[] = kernelSources,
): Promise<string> {
  const { pin, print, signal } = options;
  const failures: string[] = [];
  for (const { name, find } of sources) {
    const reason = await tryToFind(find, options).then(async (found) => {
      if (typeof found !== 'string') return found;
      const sha256 = await hashLargeFile(found, signal);
      return sha256 === pin.sha256 ? { file: found } : { reason: `${found} has the SHA-256 ${sha256}` };
    });
    signal.throwIfAborted();
    if (reason === undefined) continue;
    if ('file' in reason) {
      print(`source: ${reason.file} (${name})`);
      return reason.file;
    }
    failures.push(`${name}: ${reason.reason}`);
    print(`source: not from ${name}: ${reason.reason}`);
    if (find === findGiven) break;
  }
  throw new Error(
    `no source of Linux ${pin.version} with the SHA-256 ${pin.sha256}:\n  ${failures.join('\n  ') || 'none was found'}\n` +
      `Fetch ${pin.tarball} yourself and name it: KERNEL_TARBALL=/path/to/${pin.tarball}`,
  );
}

async function tryToFind(
  find: KernelSource['find'],
  options: FetchOptions,
): Promise<string | { readonly reason: string } | undefined> {
  try {
    return await find(options);
  } catch (error) {
    return { reason: describeError(error) };
  }
}

async function findGiven(options: FetchOptions): Promise<string | undefined> {
  const { given } = options;
  if (given === undefined || given === '') return undefined;
  if (/^https?:\/\//.test(given)) return await download(given, options);
  if (!existsSync(given)) throw new Error(`there is no file ${given}`);
  return given;
}

async function existing(file: string): Promise<string | undefined> {
  return existsSync(file) ? file : undefined;
}

async function download(url: string, { pin, cacheFolder, print, signal }: FetchOptions): Promise<string> {
  print(`downloading ${url}`);
  const response = await fetch(url, { signal });
  if (!response.ok || response.body === null) throw new Error(`${url} answers ${response.status}`);
  mkdirSync(cacheFolder, { recursive: true });
  const draft = join(cacheFolder, `.download-${process.pid}`);
  try {
    await pipeline(Readable.fromWeb(response.body), createWriteStream(draft), { signal });
    return keep(draft, pin, cacheFolder, await hashLargeFile(draft, signal));
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The tarball arrives even where the package's description beside it is gone from the mirror. */
async function downloadWithApt({ pin, cacheFolder, print, signal }: FetchOptions): Promise<string | undefined> {
  print(`asking apt for the source ${pin.debianSource} of ${pin.debianSuite}`);
  mkdirSync(cacheFolder, { recursive: true });
  const folder = mkdtempSync(join(cacheFolder, '.apt-'));
  try {
    using apt = await openTemporaryApt({ type: 'deb-src', suite: pin.debianSuite, component: 'main' }, signal);
    const failure = await apt
      .run(['-qq', 'source', '--download-only', pin.debianSource], folder)
      .then(() => undefined)
      .catch((error: unknown) => error);
    const file = join(folder, pin.tarball);
    if (readdirSync(folder).includes(pin.tarball)) {
      return keep(file, pin, cacheFolder, await hashLargeFile(file, signal));
    }
    throw failure ?? new Error(`apt-get source brought no ${pin.tarball}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Only the right file gets its name in the cache. */
function keep(draft: string, pin: KernelPin, cacheFolder: string, sha256: string): string {
  if (sha256 !== pin.sha256) throw new Error(`what was downloaded has the SHA-256 ${sha256}`);
  const file = join(cacheFolder, pin.tarball);
  if (dirname(draft) === cacheFolder) renameSync(draft, file);
  else copyFileSync(draft, file);
  return file;
}

/** SHA-256 of a file of any size, hex. */
export async function hashLargeFile(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1024 * 1024 }), hash, { signal });
  return hash.digest('hex');
}
