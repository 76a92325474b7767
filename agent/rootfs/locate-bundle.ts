import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { ProvisionError } from '../../core/base/errors.ts';
import { makeWorkFolder } from '../../core/base/work-folder.ts';
import { type BundleManifest, bundleManifestSchema } from '../../protocol/bundle-manifest.ts';

/** A bundle ready to be copied; disposing of it removes what was unpacked for it. */
export interface LocatedBundle extends AsyncDisposable {
  readonly dir: string;
  readonly manifest: BundleManifest;
}

export interface LocateBundleOptions {
  /** `--agent-bundle`: a folder or a tar.gz; null = the folder that this program runs from. */
  readonly bundle: string | null;
  /** Injectable for tests. */
  readonly execPath?: string;
  readonly signal: AbortSignal;
}

const largestBundleBytes = 1024 * 1024 * 1024;

/**
 * Finds the agent's bundle (architecture.md, "Binary"). Its files are verified when they are copied.
 * @throws ProvisionError `bundle_missing` naming the command that builds it; `stream_corrupt` for a damaged archive.
 */
export async function locateBundle(options: LocateBundleOptions): Promise<LocatedBundle> {
  if (options.bundle === null) {
    const dir = dirname(realpathSync(options.execPath ?? process.execPath));
    if (!existsSync(join(dir, 'manifest.json'))) throw missing(`this program does not run from a bundle (${dir})`);
    return located(dir);
  }
  const stat = statSync(options.bundle, { throwIfNoEntry: false });
  if (stat === undefined) throw missing(`there is no agent bundle at ${options.bundle}`);
  if (stat.isDirectory()) return located(realpathSync(options.bundle));
  return await unpacked(options.bundle, options.signal);
}

function located(dir: string, dispose: () => void = () => undefined): LocatedBundle {
  return {
    dir,
    manifest: readManifest(dir),
    [Symbol.asyncDispose]: async () => dispose(),
  };
}

function readManifest(dir: string): BundleManifest {
  const path = join(dir, 'manifest.json');
  if (!existsSync(path)) throw missing(`${dir} holds no agent bundle: it has no manifest.json`);
  try {
    return bundleManifestSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new ProvisionError('bundle_missing', `${path} is no manifest of an agent bundle`, { cause, facts: { path } });
  }
}

async function unpacked(archive: string, signal: AbortSignal): Promise<LocatedBundle> {
  const dir = makeWorkFolder('bundle');
  const dispose = (): void => rmSync(dir, { recursive: true, force: true });
  try {
    await unpack(archive, dir, signal);
    return located(dir, dispose);
  } catch (error) {
    dispose();
    if (error instanceof ProvisionError || signal.aborted) throw error;
    const facts = { path: archive };
    throw new ProvisionError('stream_corrupt', `${archive} cannot be unpacked`, { cause: error, facts });
  }
}

/** Takes regular files only: a bundle has no others, and nothing may be written outside the folder. */
async function unpack(archive: string, dir: string, signal: AbortSignal): Promise<void> {
  const entries = extract();
  let totalBytes = 0;
  const reading = pipeline(createReadStream(archive), createGunzip(), entries, { signal });
  const writing = (async () => {
    for await (const entry of entries) {
      const { name, type, size = 0 } = entry.header;
      const path = name.replace(/^(\.\/)+/, '');
      totalBytes += size;
      if (
        type !== 'file' ||
        path.startsWith('/') ||
        path.split('/').includes('..') ||
        totalBytes > largestBundleBytes
      ) {
        entry.resume();
        continue;
      }
      const target = join(dir, path);
      mkdirSync(dirname(target), { recursive: true });
      await pipeline(entry, createWriteStream(target, { flags: 'wx', mode: 0o600 }), { signal });
    }
  })();
  await Promise.all([reading, writing]);
}

function missing(what: string): ProvisionError {
  return new ProvisionError(
    'bundle_missing',
    `${what}; build it with ./scripts/build-binary and give --agent-bundle dist/durantic-linux-x64.tar.gz, or leave the agent out with --no-inject-agent`,
  );
}
