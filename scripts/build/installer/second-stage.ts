import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CpioEntry } from '../../../core/cpio/cpio.ts';
import { makeSquashfs } from '../../../initramfs/build/make-squashfs.ts';
import { secondStageFiles } from '../../../initramfs/build/second-stage-files.ts';
import { hashFile } from '../hash-file.ts';

export interface SecondStageOptions {
  readonly root: string;
  readonly bundleDir: string;
  readonly cacheDir: string;
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface SecondStage {
  readonly file: string;
  readonly sha256: string;
}

/**
 * Measured with 160 MB of files on two nearly idle cores: level 9 gives 56.4 MB in 4 s, 15 gives 51.9 MB in 10 s; 19 gives
 * 51.4 MB and takes several times as long. Counted in instructions (QEMU -icount), a cold start of the program costs the same with blocks of 64, 128 and
 * 256 KiB (half as much again as a warm one) and more with 1 MiB (3 to 40 % in three runs); 256 KiB save 3 % of size against 128 KiB.
 */
const compression = { level: 15, blockBytes: 256 * 1024 } as const;

/** Files that stay from build to build: going back to another branch is quick then. */
const keptCount = 3;

/** The second stage as one file, made or taken from the cache, which is keyed by the content of everything in it. */
export async function secondStage(options: SecondStageOptions): Promise<SecondStage> {
  const entries = await secondStageFiles(options.root, options.bundleDir);
  const file = join(options.cacheDir, 'installer', `stage2-${keyOf(entries)}.squashfs`);
  if (!existsSync(file)) {
    options.print('compressing the second stage (about 15 s)');
    mkdirSync(dirname(file), { recursive: true });
    const draft = `${file}.${process.pid}`;
    try {
      // The file system is mounted at /usr.
      const below = entries.map((entry) => ({ ...entry, path: entry.path.replace(/^usr\//, '') }));
      await makeSquashfs({ ...compression, root: options.root, entries: below, file: draft, signal: options.signal });
      renameSync(draft, file);
    } finally {
      rmSync(draft, { force: true });
    }
  }
  const now = new Date();
  utimesSync(file, now, now);
  dropOld(dirname(file));
  return { file, sha256: hashFile(file) };
}

function keyOf(entries: readonly CpioEntry[]): string {
  const hash = createHash('sha256').update(JSON.stringify(compression));
  for (const entry of [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    hash.update(`\0${entry.path}\0${entry.kind}\0`);
    if (entry.kind === 'symlink') hash.update(entry.target);
    if (entry.kind === 'file') hash.update(`${entry.isExecutable === true} ${digestOf(entry.source)}`);
  }
  return hash.digest('hex').slice(0, 24);
}

function digestOf(source: string | Uint8Array): string {
  return typeof source === 'string' ? hashFile(source) : createHash('sha256').update(source).digest('hex');
}

function dropOld(folder: string): void {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.squashfs'))
    .map((name) => join(folder, name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const file of files.slice(keptCount)) rmSync(file, { force: true });
}
