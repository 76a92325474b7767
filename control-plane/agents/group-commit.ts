import type { DatabaseSync } from 'node:sqlite';
import { describeError, stackOf } from '../../core/base/describe-error.ts';
import type { Logger } from '../../core/base/logger.ts';
import { transaction } from '../store/open-database.ts';

/** A write that shares its transaction, and thereby its fsync, with whatever else arrived at the same time. */
export interface CommitJob {
  /** Memory that the job holds while it waits. */
  readonly sizeBytes: number;
  /** Writes, inside the transaction. What it wrote is taken back when it throws; the other jobs go on. */
  apply(): void;
  /** Writes something else after `apply` threw; a job without it has `failed` called. */
  recover?(error: unknown): void;
  /** The job is on the disk. */
  committed(): void;
  /** Nothing of the job is stored. */
  failed(error: unknown): void;
}

export interface GroupCommitLimits {
  /** So much waits at most; more is written at once, before the next byte is read from any socket. */
  readonly pendingJobs: number;
  readonly pendingBytes: number;
}

export const groupCommitLimits: GroupCommitLimits = { pendingJobs: 1000, pendingBytes: 8 * 1024 * 1024 };

/** Primary result codes of SQLite (sqlite.org/rescode.html) that speak of the database, not of the statement. */
const storageFailures = new Set([
  5, // BUSY
  6, // LOCKED
  7, // NOMEM
  8, // READONLY
  10, // IOERR
  11, // CORRUPT
  13, // FULL
  14, // CANTOPEN
  26, // NOTADB
]);

/**
 * Writes jobs in the order of their arrival, all that came in one turn of the event loop in one transaction. SQLite is
 * synchronous here: while a batch is written nothing is read from any socket, so the kernel's socket buffers hold
 * the peers back and memory is bounded by `limits`.
 */
export class GroupCommit {
  readonly #db: DatabaseSync;
  readonly #log: Logger;
  readonly #limits: GroupCommitLimits;
  #pending: CommitJob[] = [];
  #pendingBytes = 0;
  #scheduled: NodeJS.Immediate | undefined;
  #isFlushing = false;

  constructor(db: DatabaseSync, log: Logger, limits: GroupCommitLimits = groupCommitLimits) {
    this.#db = db;
    this.#log = log;
    this.#limits = limits;
  }

  /** May be called inside a transaction: the job is then written after it, in one of its own. */
  submit(job: CommitJob): void {
    this.#pending.push(job);
    this.#pendingBytes += job.sizeBytes;
    const isFull = this.#pending.length >= this.#limits.pendingJobs || this.#pendingBytes >= this.#limits.pendingBytes;
    if (isFull && !this.#isFlushing && !this.#db.isTransaction) this.flush();
    else this.#scheduled ??= setImmediate(() => this.flush());
  }

  /** Writes everything that waits; nothing once the database is closed. Never throws. */
  flush(): void {
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    if (this.#isFlushing || this.#pending.length === 0 || !this.#db.isOpen) return;
    const jobs = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#isFlushing = true;
    try {
      this.#write(jobs);
    } finally {
      this.#isFlushing = false;
      if (this.#pending.length > 0) this.#scheduled ??= setImmediate(() => this.flush());
    }
  }

  #write(jobs: readonly CommitJob[]): void {
    const refused = new Map<CommitJob, unknown>();
    try {
      transaction(this.#db, () => {
        for (const job of jobs) this.#apply(job, refused);
      });
    } catch (error) {
      this.#log.error({ jobs: jobs.length, error: describeError(error) }, 'the database refused what agents sent');
      for (const job of jobs) this.#call(() => job.failed(error));
      return;
    }
    for (const job of jobs) {
      this.#call(() => (refused.has(job) ? job.failed(refused.get(job)) : job.committed()));
    }
  }

  #apply(job: CommitJob, refused: Map<CommitJob, unknown>): void {
    try {
      this.#inSavepoint(() => job.apply());
    } catch (error) {
      if (isStorageFailure(error) || !this.#db.isTransaction) throw error;
      this.#log.error(
        { error: describeError(error), stack: stackOf(error) },
        'a frame of an agent could not be applied because of a defect of durantic',
      );
      if (job.recover === undefined) {
        refused.set(job, error);
        return;
      }
      this.#recover(job, error, refused);
    }
  }

  #recover(job: CommitJob, error: unknown, refused: Map<CommitJob, unknown>): void {
    try {
      this.#inSavepoint(() => job.recover?.(error));
    } catch (second) {
      if (isStorageFailure(second) || !this.#db.isTransaction) throw second;
      this.#log.error({ error: describeError(second), stack: stackOf(second) }, 'a failed frame could not be kept');
      refused.set(job, second);
    }
  }

  #inSavepoint(work: () => void): void {
    this.#db.exec('SAVEPOINT agent_job');
    try {
      work();
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK TO agent_job; RELEASE agent_job');
      throw error;
    }
    this.#db.exec('RELEASE agent_job');
  }

  /** What follows a commit is sending; its failure is one socket's, never the batch's. */
  #call(after: () => void): void {
    try {
      after();
    } catch (error) {
      this.#log.error({ error: describeError(error), stack: stackOf(error) }, 'answering an agent failed');
    }
  }
}

function isStorageFailure(error: unknown): boolean {
  for (let current = error, depth = 0; depth < 8 && current instanceof Error; current = current.cause, depth += 1) {
    const { errcode } = current as { errcode?: unknown };
    if (typeof errcode === 'number' && storageFailures.has(errcode & 0xff)) return true;
  }
  return false;
}
