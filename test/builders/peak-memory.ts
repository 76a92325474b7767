import { readdirSync, readFileSync } from 'node:fs';

/** The most memory that a process and everything it started held at one moment. */
export interface PeakMemory {
  /** Proportional set size of all processes together. */
  readonly pssBytes: number;
  /** What made it up: `durantic 231 MB, mkfs.ext4 2 MB`. */
  readonly parts: string;
  readonly samples: number;
}

/**
 * Adds up Pss of `/proc/PID/smaps_rollup` (proc(5)) of a process and its descendants, every 100 ms until `stop`.
 * `samples` tells how often something was read.
 */
export class MemorySampler {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #peak: PeakMemory = { pssBytes: 0, parts: '', samples: 0 };

  constructor(pid: number, everyMs = 100) {
    this.#pid = pid;
    this.#timer = setInterval(() => this.#sample(), everyMs);
  }

  stop(): PeakMemory {
    clearInterval(this.#timer);
    return this.#peak;
  }

  #sample(): void {
    const all = family(this.#pid).flatMap((pid) => {
      const pssBytes = readPssBytes(pid);
      return pssBytes === null ? [] : [{ name: read(`/proc/${pid}/comm`).trim(), pssBytes }];
    });
    if (all.length === 0) return;
    const samples = this.#peak.samples + 1;
    const pssBytes = all.reduce((sum, one) => sum + one.pssBytes, 0);
    const parts = all.map((one) => `${one.name} ${Math.round(one.pssBytes / 1e6)} MB`).join(', ');
    this.#peak = pssBytes > this.#peak.pssBytes ? { pssBytes, parts, samples } : { ...this.#peak, samples };
  }
}

/** The process and its descendants, found through every thread's children. */
function family(pid: number): number[] {
  const children = listNames(`/proc/${pid}/task`).flatMap((thread) =>
    read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(family)];
}

function readPssBytes(pid: number): number | null {
  const match = /^Pss:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/smaps_rollup`));
  return match === null ? null : Number(match[1]) * 1024;
}

// A process may end at any moment; then it has nothing to tell.
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function listNames(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
