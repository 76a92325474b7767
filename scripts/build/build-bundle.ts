import {
  chmodSync,
  copyFileSync,
  createReadStream,
  createWriteStream,
  mkdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { runCommand } from '../../core/base/run-command.ts';
import {
  type BundleFile,
  type BundleManifest,
  bundleManifestSchema,
  glibcFloor,
} from '../../protocol/bundle-manifest.ts';
import { compareVersions, glibcNeeded } from './glibc-needed.ts';
import { hashFile } from './hash-file.ts';
import type { RuntimeLibrary } from './runtime-libraries.ts';
import type { SourceVersion } from './source-version.ts';

export const archiveName = 'durantic-linux-x64.tar.gz';

/** `Apache-2.0` is ours; Node's licence file lists what is built into it. */
const programLicence = 'Apache-2.0 AND MIT';

/**
 * Lays the bundle out in `bundleDir`: binary, libraries, `manifest.json`.
 * @throws when something that is always loaded needs a newer glibc than the program promises.
 */
export async function layOutBundle(
  bundleDir: string,
  binary: string,
  libraries: readonly RuntimeLibrary[],
  source: SourceVersion,
): Promise<void> {
  const program = { path: 'durantic', file: binary, role: 'program', licence: programLicence } as const;
  const files: BundleFile[] = [];
  for (const { file, path, role, licence, ...rest } of [program, ...libraries]) {
    const target = join(bundleDir, path);
    mkdirSync(dirname(target), { recursive: true });
    chmodSync(dirname(target), 0o755);
    copyFileSync(file, target);
    chmodSync(target, role === 'program' ? 0o755 : 0o644);
    const glibc = await glibcNeeded(target);
    if (role !== 'fallback') requireFloor(path, glibc);
    const facts = { sha256: hashFile(target), bytes: statSync(target).size, glibc, licence, ...rest };
    files.push({ path, role, mode: role === 'program' ? '0755' : '0644', ...facts });
  }
  const manifest: BundleManifest = {
    format: 1,
    name: 'durantic',
    version: source.version,
    commit: source.commit,
    node: process.versions.node,
    platform: 'linux-x64',
    files,
  };
  writeFileSync(join(bundleDir, 'manifest.json'), `${JSON.stringify(bundleManifestSchema.parse(manifest), null, 2)}\n`);
  chmodSync(join(bundleDir, 'manifest.json'), 0o644);
}

/** Throws when an object of ours would not load on the oldest system that the README promises. */
export function requireFloor(path: string, glibc: string): void {
  if (compareVersions(glibc, glibcFloor) <= 0) return;
  throw new Error(`${path} needs glibc ${glibc}, but the program promises to run with ${glibcFloor}`);
}

/** `durantic-linux-x64.tar.gz` and its `.sha256` beside it; same bundle and time, same bytes. */
export async function archiveBundle(bundleDir: string, outDir: string, epochSec: number): Promise<void> {
  const tar = join(outDir, 'bundle.tar');
  const order = ['--format=ustar', '--sort=name', '--owner=0', '--group=0', '--numeric-owner', `--mtime=@${epochSec}`];
  const members = ['durantic', 'fallback', 'libatomic.so.1', 'manifest.json'];
  await runCommand('tar', [...order, '-C', bundleDir, '-cf', tar, ...members]);
  const archive = join(outDir, archiveName);
  // Node's gzip header holds no name and no time.
  await pipeline(
    createReadStream(tar, { highWaterMark: 1 << 20 }),
    createGzip({ level: 6 }),
    createWriteStream(archive),
  );
  writeFileSync(`${archive}.sha256`, `${hashFile(archive)}  ${archiveName}\n`);
}
