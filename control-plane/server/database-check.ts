import { describeError } from '../../core/base/describe-error.ts';
import { type ServerContext, timestampOf } from '../context.ts';

export type DatabaseParts = Pick<ServerContext, 'db' | 'log' | 'clock'>;

/** A write ends on the disk: whoever asks over and over causes one in so long, and waits as rarely for one that hangs. */
const writeEveryMs = 10_000;

/**
 * Makes the question whether the database works: it is read each time, and written in a row of its own, whose last
 * outcome stands for 10 s. On a full or read-only disk the one works without the other. What fails is logged.
 */
export function databaseCheck(parts: DatabaseParts): () => boolean {
  let last: { readonly atMs: number; readonly canWrite: boolean } | null = null;
  return () => {
    const nowMs = parts.clock.now();
    // A clock that was set back must not keep the old outcome for good.
    if (last === null || Math.abs(nowMs - last.atMs) >= writeEveryMs) last = { atMs: nowMs, canWrite: canWrite(parts) };
    return last.canWrite && canRead(parts);
  };
}

function canRead({ db, log }: DatabaseParts): boolean {
  try {
    return db.prepare('SELECT count(*) AS n FROM accounts').get()?.['n'] === 1;
  } catch (error) {
    log.error({ error: describeError(error) }, 'the database does not answer');
    return false;
  }
}

function canWrite({ db, log, clock }: DatabaseParts): boolean {
  try {
    db.prepare(
      `INSERT INTO write_checks (id, written_at) VALUES (1, :now)
       ON CONFLICT (id) DO UPDATE SET written_at = :now`,
    ).run({ now: timestampOf(clock) });
    return true;
  } catch (error) {
    log.error({ error: describeError(error) }, 'the database cannot be written');
    return false;
  }
}
