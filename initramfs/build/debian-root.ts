import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';

export interface DebianRootOptions {
  readonly suite: string;
  readonly packages: readonly string[];
  /** Lines of a sources.list. */
  readonly sources: string;
  /** Folder that keeps roots between builds. */
  readonly cacheDir: string;
  /** Take today's packages, not those of the last build. */
  readonly refresh?: boolean;
  readonly onProgress: (message: string) => void;
  readonly signal: AbortSignal;
}

export interface DebianRoot {
  readonly dir: string;
  /** Names of the package files with their versions, sorted: they decide every byte of `dir`. */
  readonly packages: readonly string[];
}

const keptRoots = 3;

/**
 * The packages and what they depend on, unpacked into one folder; their scripts do not run, so that nothing of this
 * machine gets in. Made by mmdebstrap, which checks signatures, and kept by suite and list of packages.
 * @throws ProvisionError `tool_missing`, `tool_failed`, `aborted`.
 */
export async function debianRoot(options: DebianRootOptions): Promise<DebianRoot> {
  const folder = join(options.cacheDir, 'installer-root', `${options.suite}-${keyOf(options)}`);
  if (!existsSync(folder) || options.refresh === true) await makeRoot(folder, options);
  const now = new Date();
  utimesSync(folder, now, now);
  dropOldRoots(dirname(folder));
  const packages = readFileSync(join(folder, 'packages'), 'utf8').trim().split('\n');
  return { dir: join(folder, 'root'), packages };
}

function keyOf({ suite, packages }: DebianRootOptions): string {
  return createHash('sha256')
    .update(JSON.stringify([1, suite, [...packages].sort()]))
    .digest('hex')
    .slice(0, 16);
}

async function makeRoot(folder: string, options: DebianRootOptions): Promise<void> {
  options.onProgress(`unpacking the packages of Debian ${options.suite} that the installer is made of (about 15 s)`);
  mkdirSync(dirname(folder), { recursive: true });
  const draft = `${folder}.${randomUUID()}`;
  mkdirSync(draft);
  try {
    const { signal } = options;
    await runCommand('mmdebstrap', mmdebstrapArguments(draft, options), { signal, input: options.sources });
    rmSync(folder, { recursive: true, force: true });
    renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function mmdebstrapArguments(draft: string, { suite, packages }: DebianRootOptions): string[] {
  const list = join(draft, 'packages');
  return [
    ...['--quiet', '--variant=extract', '--architectures=amd64', '--format=directory'],
    `--include=${packages.join(',')}`,
    // The file names carry the versions.
    `--extract-hook=ls "$1"/var/cache/apt/archives | grep '\\.deb$' | LC_ALL=C sort >'${list}'`,
    ...[suite, join(draft, 'root'), '-'],
  ];
}

function dropOldRoots(folder: string): void {
  const roots = readdirSync(folder)
    .map((name) => join(folder, name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const root of roots.slice(keptRoots)) rmSync(root, { recursive: true, force: true });
}
