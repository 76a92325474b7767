import {
  closeSync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import { writePrivateFile } from '../identity/write-private-file.ts';
import { bootFileName, bootFileNumber, bootFileText, parseBootFileHeader } from './boot-file-text.ts';
import { type LiveEntries, Outbox, type OutboxEntry, type OutboxJournal } from './outbox.ts';
import { dropRank, type NumberedFrame, parseNumberedFrame } from './outbox-frames.ts';

/** A file is written anew when more than half of it is of no use any more, and it has at least this size. */
const compactFromBytes = 256 * 1024;
const retryAfterFailureMs = 30_000;

export interface OutboxFolderOptions {
  /** `/var/lib/durantic/outbox` */
  readonly dir: string;
  readonly bootId: string;
  /** What cannot be read or written; the outbox goes on in memory. */
  readonly onProblem: (error: ProvisionError) => void;
  readonly mostFrames?: number;
  readonly mostBytes?: number;
}

/**
 * An outbox that survives kill -9 and power cuts: one file a boot, numbered in their order, 0600. The first line names
 * the boot and the highest seq it had made when the file was last written anew; each other line is a frame, appended and
 * (but for progress) flushed before it is sent. A line that was cut off by a crash is left out.
 */
export function openOutbox(options: OutboxFolderOptions): Outbox {
  const { dir, bootId, onProblem, ...limits } = options;
  const files = readFolder(dir, onProblem);
  const journal = new OutboxFolder(options, files);
  const kept = files.flatMap((file) => file.frames);
  const lastSeq = files.find((file) => file.bootId === bootId)?.lastSeq ?? 0;
  return new Outbox({ bootId, journal, kept, lastSeq, ...limits });
}

interface BootFile {
  readonly path: string;
  readonly bootId: string;
  readonly lastSeq: number;
  readonly bytes: number;
  readonly frames: readonly NumberedFrame[];
  /** Every line is a frame and the last one has its end. */
  readonly isWhole: boolean;
}

interface KnownFile {
  readonly path: string;
  bytes: number;
  /** It must be written anew before anything is appended: a line may be cut off, or was never written. */
  isBroken: boolean;
}

class OutboxFolder implements OutboxJournal {
  readonly #options: OutboxFolderOptions;
  readonly #files = new Map<string, KnownFile>();
  #nextNumber: number;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #hasComplained = false;

  constructor(options: OutboxFolderOptions, files: readonly BootFile[]) {
    this.#options = options;
    this.#nextNumber = 1 + Math.max(0, ...files.map(({ path }) => bootFileNumber(basename(path)) ?? 0));
    for (const { bootId, path, bytes, isWhole } of files) this.#files.set(bootId, { path, bytes, isBroken: !isWhole });
  }

  append(entry: OutboxEntry, live: LiveEntries): void {
    const file = this.#files.get(entry.frame.boot_id);
    if (file === undefined || file.isBroken) {
      this.rewrite(entry.frame.boot_id, live);
      return;
    }
    this.#attempt(file, () => {
      const line = Buffer.from(`${entry.text}\n`);
      const fd = openSync(file.path, 'a', 0o600);
      try {
        for (let done = 0; done < line.length; ) done += writeSync(fd, line, done);
        // Progress that a power cut takes is no loss; a killed process loses nothing either way.
        if (dropRank(entry.frame) === null) fdatasyncSync(fd);
      } finally {
        closeSync(fd);
      }
      file.bytes += line.length;
    });
  }

  removed(bootId: string, live: LiveEntries): void {
    const file = this.#files.get(bootId);
    if (file === undefined) return;
    if (live.bytes === 0 && bootId !== this.#options.bootId) {
      this.#attempt(file, () => {
        rmSync(file.path, { force: true });
        this.#files.delete(bootId);
      });
    } else if (file.bytes > compactFromBytes && live.bytes < file.bytes / 2) {
      this.rewrite(bootId, live);
    }
  }

  rewrite(bootId: string, live: LiveEntries): void {
    if (performance.now() - this.#failedAtMs < retryAfterFailureMs) return;
    const { dir } = this.#options;
    const known = this.#files.get(bootId);
    const file = known ?? {
      path: join(dir, bootFileName(this.#nextNumber)),
      bytes: 0,
      isBroken: true,
    };
    this.#attempt(file, () => {
      const text = bootFileText(bootId, live);
      writePrivateFile(file.path, text);
      if (known === undefined) this.#nextNumber += 1;
      file.bytes = Buffer.byteLength(text);
      file.isBroken = false;
      this.#files.set(bootId, file);
    });
  }

  /** A disk that is full or gone must not stop the agent: it says so once and goes on in memory. */
  #attempt(file: KnownFile, write: () => void): void {
    try {
      write();
      this.#hasComplained = false;
      this.#failedAtMs = Number.NEGATIVE_INFINITY;
    } catch (cause) {
      file.isBroken = true;
      this.#failedAtMs = performance.now();
      if (this.#hasComplained) return;
      this.#hasComplained = true;
      this.#options.onProblem(
        folderError(`cannot be written; what is not acknowledged is kept in memory`, this.#options.dir, cause),
      );
    }
  }
}

function readFolder(dir: string, onProblem: (error: ProvisionError) => void): BootFile[] {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const names = readdirSync(dir);
    // Left by a crash while a file was written anew.
    for (const name of names.filter((each) => each.endsWith('.new'))) rmSync(join(dir, name));
    const paths = names.filter((name) => bootFileNumber(name) !== null).map((name) => join(dir, name));
    return paths.sort().flatMap((path) => readBootFile(path, onProblem) ?? []);
  } catch (cause) {
    onProblem(folderError('cannot be read', dir, cause));
    return [];
  }
}

function readBootFile(path: string, onProblem: (error: ProvisionError) => void): BootFile | null {
  const text = readFileSync(path, 'utf8');
  const [first = '', ...lines] = text.split('\n');
  const header = parseBootFileHeader(first);
  if (header === null) {
    onProblem(
      new ProvisionError('document_invalid', `${path} is no file of the outbox; it is set aside`, { facts: { path } }),
    );
    renameSync(path, `${path}.damaged`);
    return null;
  }
  const last = lines.pop() ?? first;
  const frames = lines.map(parseNumberedFrame).filter((frame) => frame !== null);
  const found = frames.filter((frame) => frame.boot_id === header.boot_id);
  return {
    path,
    bootId: header.boot_id,
    lastSeq: header.last_seq,
    bytes: Buffer.byteLength(text),
    frames: found,
    isWhole: last === '' && found.length === lines.length,
  };
}

function folderError(what: string, dir: string, cause: unknown): ProvisionError {
  return new ProvisionError('permission', `the outbox ${dir} ${what}`, { cause, facts: { path: dir } });
}
