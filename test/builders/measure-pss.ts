import { readdirSync, readFileSync } from 'node:fs';

export interface PssPeak {
  /** Proportional set size of the process and all below it, in bytes. */
  readonly bytes: number;
  readonly samples: number;
}

/**
 * Samples the memory of a process and all its descendants every 100 ms until `stop` is called: the sum of `Pss` in
 * /proc/PID/smaps_rollup (proc(5)), which counts a page shared by two processes once.
 */
export function measurePss(pid: number): { stop(): PssPeak } {
  let bytes = 0;
  let samples = 0;
  const timer = setInterval(() => {
    samples += 1;
    const sum = family(pid).reduce((total, one) => total + pssBytes(one), 0);
    bytes = Math.max(bytes, sum);
  }, 100);
  return {
    stop: () => {
      clearInterval(timer);
      return { bytes, samples };
    },
  };
}

function family(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    const stat = readOrEmpty(`/proc/${name}/stat`);
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const isBelow = (pid: number | undefined): boolean =>
    pid === root || (pid !== undefined && pid > 1 && isBelow(parents.get(pid)));
  return [...parents.keys()].filter(isBelow);
}

function pssBytes(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(readOrEmpty(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024;
}

/** A process may end between two looks. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
