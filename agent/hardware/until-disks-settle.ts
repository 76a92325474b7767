import { sleep } from '../../core/base/abort.ts';
import type { DiskFacts } from '../disk/types.ts';

export interface SettleOptions {
  readonly list: () => Promise<readonly DiskFacts[]>;
  /** No disk may come, go or change its size for so long. */
  readonly quietMs: number;
  readonly longestMs: number;
  /** While these disks are not what is waited for, their quiet says nothing; default: any are, also none. */
  readonly isEnough?: (disks: readonly DiskFacts[]) => boolean;
  readonly signal: AbortSignal;
}

const pollMs = 250;

/** The disks, once their list has not changed for a while: those of one controller come one after the other. */
export async function untilDisksSettle(options: SettleOptions): Promise<readonly DiskFacts[]> {
  const { isEnough = () => true } = options;
  const endMs = performance.now() + options.longestMs;
  let sinceMs = performance.now();
  let before = '';
  for (;;) {
    const disks = await options.list();
    const now = disks.map(({ path, sizeBytes, partitions }) => `${path} ${sizeBytes} ${partitions.length}`).join();
    const nowMs = performance.now();
    if (now !== before) sinceMs = nowMs;
    before = now;
    if ((nowMs - sinceMs >= options.quietMs && isEnough(disks)) || nowMs >= endMs) return disks;
    await sleep(Math.min(pollMs, endMs - nowMs), options.signal);
  }
}
