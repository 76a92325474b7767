import type { ProvisionError } from '../../core/base/errors.ts';
import type { ServerContext } from '../context.ts';
import { timeText } from '../store/row-values.ts';

const firstDelayMs = 5000;
const longestDelayMs = 5 * 60_000;

/**
 * How long to wait before a registry is asked again: what it asked for itself, else 5 s, doubled with each time up to
 * 5 minutes, half of it at random, so that runs which were queued together do not come back together. This is no loop:
 * the time is stored with the run and outlives the server.
 */
export function resolveDelayMs(error: ProvisionError, attempts: number, random: () => number): number {
  const asked = error.facts['retry_after_ms'];
  const ceilingMs = Math.min(longestDelayMs, firstDelayMs * 2 ** (attempts - 1));
  const ownMs = Math.round(ceilingMs * (0.5 + random() / 2));
  return typeof asked === 'number' ? Math.max(asked, ownMs) : ownMs;
}

/** No queued run waits longer from now on, whatever the clock was when its time was stored. */
export function limitDelays({ db, clock }: Pick<ServerContext, 'db' | 'clock'>): void {
  const latest = timeText(clock.now() + longestDelayMs);
  db.prepare(`UPDATE provisions SET resolve_after = ?1 WHERE status = 'queued' AND resolve_after > ?1`).run(latest);
}
