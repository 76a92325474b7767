import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type CpioEntry, withParents } from '../../core/cpio/cpio.ts';
import { runRootTool } from './root-tool.ts';

export interface SquashfsOptions {
  /** Debian root that has mksquashfs. */
  readonly root: string;
  /** Paths relative to the root of the file system. */
  readonly entries: readonly CpioEntry[];
  readonly file: string;
  /** zstd, 1 to 22. */
  readonly level: number;
  readonly blockBytes: number;
  readonly signal: AbortSignal;
}

/**
 * A squashfs with the entries, all owned by root, all times 0: equal entries give equal bytes.
 * @throws ProvisionError `tool_failed`, `aborted`.
 */
export async function makeSquashfs(options: SquashfsOptions): Promise<void> {
  const { root, entries, file, signal } = options;
  const staging = mkdtempSync(`${file}.tree-`);
  try {
    layOut(staging, entries);
    rmSync(file, { force: true });
    const compression = [
      '-comp',
      'zstd',
      '-Xcompression-level',
      String(options.level),
      '-b',
      String(options.blockBytes),
    ];
    const fixed = ['-all-root', '-all-time', '0', '-mkfs-time', '0', '-no-xattrs', '-no-exports', '-reproducible'];
    const silent = ['-noappend', '-exit-on-error', '-no-progress', '-quiet'];
    await runRootTool(root, 'mksquashfs', [staging, file, ...compression, ...fixed, ...silent], { signal });
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** Modes are set by hand: the umask of whoever builds does not count. */
function layOut(folder: string, entries: readonly CpioEntry[]): void {
  chmodSync(folder, 0o755);
  for (const entry of withParents(entries)) {
    const target = join(folder, entry.path);
    if (lstatSync(dirname(target)).isSymbolicLink()) throw new Error(`${entry.path} would be written through a link`);
    if (entry.kind === 'directory') makeFolder(target, entry.mode ?? 0o755);
    else if (entry.kind === 'symlink') symlinkSync(entry.target, target);
    else if (entry.kind === 'file') writeEntry(target, entry);
    else throw new Error(`${entry.path}: the second stage has no device nodes`);
  }
}

function makeFolder(target: string, mode: number): void {
  mkdirSync(target);
  chmodSync(target, mode);
}

function writeEntry(target: string, entry: CpioEntry & { kind: 'file' }): void {
  if (typeof entry.source === 'string') copyFileSync(entry.source, target);
  else writeFileSync(target, entry.source);
  chmodSync(target, entry.isExecutable === true ? 0o755 : 0o644);
}
