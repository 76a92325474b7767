import { describeError } from '../../core/base/describe-error.ts';
import type { ServerContext } from '../context.ts';
import { transaction } from '../store/open-database.ts';

/** When machines were heard last: in memory at once, in the database in batches (5,000 heartbeats cost one fsync). */
export class LastSeen {
  readonly #context: ServerContext;
  readonly #seenMs = new Map<string, number>();
  readonly #unwritten = new Set<string>();

  constructor(context: ServerContext) {
    this.#context = context;
  }

  touch(machineUuid: string): void {
    this.#seenMs.set(machineUuid, this.#context.clock.now());
    this.#unwritten.add(machineUuid);
  }

  /** Milliseconds since 1970; null when it never was. */
  get(machineUuid: string): number | null {
    const inMemory = this.#seenMs.get(machineUuid);
    if (inMemory !== undefined) return inMemory;
    const row = this.#context.db.prepare('SELECT last_seen_at FROM machines WHERE uuid = ?').get(machineUuid);
    const stored = row?.['last_seen_at'];
    return typeof stored === 'string' ? Date.parse(stored) : null;
  }

  /** Inside a transaction: writes one machine's time. */
  write(machineUuid: string): void {
    const seenMs = this.#seenMs.get(machineUuid);
    if (seenMs === undefined) return;
    this.#context.db
      .prepare('UPDATE machines SET last_seen_at = ? WHERE uuid = ?')
      .run(new Date(seenMs).toISOString(), machineUuid);
  }

  /** After that transaction: forgets a machine that is gone, so that memory holds only those that are connected. */
  forget(machineUuid: string): void {
    this.#seenMs.delete(machineUuid);
    this.#unwritten.delete(machineUuid);
  }

  /** Writes all that is new in one transaction. What cannot be written is tried again the next time. */
  flush(isConnected: (machineUuid: string) => boolean): void {
    if (this.#unwritten.size === 0) return;
    const machines = [...this.#unwritten];
    try {
      transaction(this.#context.db, () => {
        for (const machineUuid of machines) this.write(machineUuid);
      });
    } catch (error) {
      this.#context.log.error({ error: describeError(error) }, 'the times of the last heartbeats could not be stored');
      return;
    }
    for (const machineUuid of machines) {
      this.#unwritten.delete(machineUuid);
      if (!isConnected(machineUuid)) this.#seenMs.delete(machineUuid);
    }
  }
}
