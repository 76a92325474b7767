import { dropRank, type NumberedFrame, type Report, toFrame } from './outbox-frames.ts';

export interface OutboxEntry {
  readonly frame: NumberedFrame;
  /** The frame as it is sent. */
  readonly text: string;
  readonly bytes: number;
  /** The connection that it was last sent on. */
  sentOn: symbol | null;
}

/** Where an outbox is kept beside memory. Methods throw nothing. */
export interface OutboxJournal {
  /** `entry` was added; it is the last of `live`. */
  append(entry: OutboxEntry, live: LiveEntries): void;
  /** Entries have gone; `live` are those of that boot which remain. */
  removed(bootId: string, live: LiveEntries): void;
  /** Everything of that boot is as `live` says. */
  rewrite(bootId: string, live: LiveEntries): void;
}

export interface LiveEntries {
  readonly lastSeq: number;
  readonly entries: Iterable<OutboxEntry>;
  readonly bytes: number;
}

export interface OutboxOptions {
  /** `/proc/sys/kernel/random/boot_id` */
  readonly bootId: string;
  readonly journal?: OutboxJournal;
  /** What earlier runs left, oldest boot first, in order. */
  readonly kept?: readonly NumberedFrame[];
  /** Highest seq that this boot has made before. */
  readonly lastSeq?: number;
  readonly mostFrames?: number;
  readonly mostBytes?: number;
}

interface Boot {
  lastSeq: number;
  bytes: number;
  readonly entries: Map<number, OutboxEntry>;
}

/**
 * Frames that the server does not have for sure, numbered per boot from 1. Bounded: when it is full the oldest progress
 * goes, then the oldest logs; outcomes never. Frames of earlier boots come first and keep their boot_id.
 */
export class Outbox {
  readonly bootId: string;
  readonly #boots = new Map<string, Boot>();
  readonly #droppable: readonly [Set<OutboxEntry>, Set<OutboxEntry>] = [new Set(), new Set()];
  readonly #listeners = new Set<() => void>();
  readonly #journal: OutboxJournal | undefined;
  readonly #mostFrames: number;
  readonly #mostBytes: number;
  #size = 0;
  #bytes = 0;

  constructor(options: OutboxOptions) {
    this.bootId = options.bootId;
    this.#journal = options.journal;
    this.#mostFrames = options.mostFrames ?? 10_000;
    this.#mostBytes = options.mostBytes ?? 16 * 1024 * 1024;
    for (const frame of options.kept ?? []) this.#insert(frame);
    this.#current.lastSeq = Math.max(this.#current.lastSeq, options.lastSeq ?? 0);
    this.#shrink();
  }

  /** Highest seq that this boot has made, 0 when none. */
  get lastSeq(): number {
    return this.#current.lastSeq;
  }

  /** Frames that are kept. */
  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Numbers a report and keeps it until it is acknowledged. What is not progress is on the medium on return, where there
   * is a journal.
   * @throws ProvisionError `invariant` for a report that fits no frame.
   */
  add(report: Report): NumberedFrame {
    const entry = this.#insert(toFrame(report, { boot_id: this.bootId, seq: this.lastSeq + 1 }));
    this.#journal?.append(entry, liveOf(this.#current));
    this.#shrink();
    this.#changed();
    return entry.frame;
  }

  /** Takes out everything of that boot up to `seq`. */
  acknowledge(bootId: string, seq: number): void {
    const boot = this.#boots.get(bootId);
    if (boot === undefined) return;
    const gone = [...takeWhile(boot.entries.values(), (entry) => entry.frame.seq <= seq)];
    for (const entry of gone) this.#remove(entry);
    if (gone.length > 0) this.#journal?.removed(bootId, liveOf(boot));
    this.#forgetIfOver(bootId, boot);
    this.#changed();
  }

  /**
   * Takes in what the server said in its welcome. When it has a higher seq of this boot than was ever made here, the
   * state folder was lost within one boot: what is waiting is numbered anew behind it, or it would pass for repetition.
   */
  welcome(acknowledgedSeq: number): void {
    const boot = this.#current;
    if (acknowledgedSeq <= boot.lastSeq) {
      this.acknowledge(this.bootId, acknowledgedSeq);
      return;
    }
    const waiting = [...boot.entries.values()];
    for (const entry of waiting) this.#remove(entry);
    boot.lastSeq = acknowledgedSeq;
    for (const { frame } of waiting) this.#insert({ ...frame, seq: boot.lastSeq + 1 });
    this.#journal?.rewrite(this.bootId, liveOf(boot));
    this.#changed();
  }

  /** What was not yet sent on a connection, in the order to send. */
  *unsent(connection: symbol): Generator<OutboxEntry> {
    for (const boot of this.#boots.values()) {
      for (const entry of boot.entries.values()) if (entry.sentOn !== connection) yield entry;
    }
  }

  /** What is kept, by boot, the oldest first; for whoever hands it to another system. */
  *kept(): Generator<{ readonly bootId: string } & LiveEntries> {
    for (const [bootId, boot] of this.#boots) if (boot.entries.size > 0) yield { bootId, ...liveOf(boot) };
  }

  /** How much was sent on this connection and is not acknowledged. What was sent comes before what was not. */
  sentOn(connection: symbol): { readonly frames: number; readonly bytes: number } {
    let frames = 0;
    let bytes = 0;
    for (const boot of this.#boots.values()) {
      for (const entry of boot.entries.values()) {
        if (entry.sentOn !== connection) return { frames, bytes };
        frames += 1;
        bytes += entry.bytes;
      }
    }
    return { frames, bytes };
  }

  /** Calls back after each change until the given function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** True when everything was acknowledged, false when that took longer than `timeoutMs` or the signal was aborted. */
  async flush(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#size === 0 || signal?.aborted === true) return this.#size === 0;
    return await new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        stopListening();
        signal?.removeEventListener('abort', finish);
        resolve(this.#size === 0);
      };
      const timer = setTimeout(finish, timeoutMs);
      const stopListening = this.onChange(() => {
        if (this.#size === 0) finish();
      });
      signal?.addEventListener('abort', finish, { once: true });
    });
  }

  get #current(): Boot {
    return this.#bootOf(this.bootId);
  }

  #bootOf(bootId: string): Boot {
    const known = this.#boots.get(bootId);
    if (known !== undefined) return known;
    const boot: Boot = { lastSeq: 0, bytes: 0, entries: new Map() };
    this.#boots.set(bootId, boot);
    return boot;
  }

  #insert(frame: NumberedFrame): OutboxEntry {
    const boot = this.#bootOf(frame.boot_id);
    const text = JSON.stringify(frame);
    const entry: OutboxEntry = { frame, text, bytes: Buffer.byteLength(text), sentOn: null };
    const rank = dropRank(frame);
    if (rank !== null) this.#droppable[rank].add(entry);
    boot.entries.set(frame.seq, entry);
    boot.lastSeq = Math.max(boot.lastSeq, frame.seq);
    boot.bytes += entry.bytes;
    this.#size += 1;
    this.#bytes += entry.bytes;
    return entry;
  }

  #remove(entry: OutboxEntry): void {
    const boot = this.#bootOf(entry.frame.boot_id);
    if (!boot.entries.delete(entry.frame.seq)) return;
    for (const set of this.#droppable) set.delete(entry);
    boot.bytes -= entry.bytes;
    this.#size -= 1;
    this.#bytes -= entry.bytes;
  }

  #shrink(): void {
    while (this.#size > this.#mostFrames || this.#bytes > this.#mostBytes) {
      const [oldest] = this.#droppable[0].size > 0 ? this.#droppable[0] : this.#droppable[1];
      if (oldest === undefined) return;
      const { boot_id: bootId } = oldest.frame;
      const boot = this.#bootOf(bootId);
      this.#remove(oldest);
      this.#journal?.removed(bootId, liveOf(boot));
      this.#forgetIfOver(bootId, boot);
    }
  }

  #forgetIfOver(bootId: string, boot: Boot): void {
    if (bootId !== this.bootId && boot.entries.size === 0) this.#boots.delete(bootId);
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function liveOf(boot: Boot): LiveEntries {
  return { lastSeq: boot.lastSeq, entries: boot.entries.values(), bytes: boot.bytes };
}

function* takeWhile<T>(values: Iterable<T>, isWanted: (value: T) => boolean): Generator<T> {
  for (const value of values) {
    if (!isWanted(value)) return;
    yield value;
  }
}
