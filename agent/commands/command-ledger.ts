import { renameSync } from 'node:fs';
import { z } from 'zod';
import { ProvisionError } from '../../core/base/errors.ts';
import { readJsonFile } from '../identity/read-json-file.ts';
import { writePrivateFile } from '../identity/write-private-file.ts';

const entrySchema = z.object({
  command_uuid: z.uuid(),
  kind: z.string(),
  issued_at: z.iso.datetime(),
  /** Boot in which it was taken. */
  boot_id: z.string(),
  /** `accepted` has no outcome yet. */
  state: z.enum(['accepted', 'rejected', 'done', 'failed']),
  reason: z.string().nullable(),
});

/** `commands.json`. */
export const ledgerSchema = z.object({
  entries: z.array(entrySchema),
  /** Group → when the newest command that was taken of it was given. */
  newest: z.record(z.string(), z.iso.datetime()),
});

export type LedgerEntry = z.infer<typeof entrySchema>;
export type LedgerState = z.infer<typeof ledgerSchema>;

export interface CommandLedgerOptions {
  /** `/var/lib/durantic/commands.json`; null keeps it in memory. */
  readonly path: string | null;
  readonly onProblem: (error: ProvisionError) => void;
  /** What the system before has handed over, for a ledger that has no file yet. */
  readonly carried?: LedgerState;
  /** Commands that are remembered; the oldest with an outcome go first. Default 256. */
  readonly mostEntries?: number;
}

/**
 * What became of each command, across restarts: the reason why one that is delivered twice is applied once. Every change
 * is on the medium before the method returns; the file is replaced as a whole.
 */
export class CommandLedger {
  readonly #options: CommandLedgerOptions;
  readonly #entries = new Map<string, LedgerEntry>();
  readonly #newest: Map<string, string>;

  constructor(options: CommandLedgerOptions) {
    this.#options = options;
    const state = this.#read();
    for (const entry of state.entries) this.#entries.set(entry.command_uuid, entry);
    this.#newest = new Map(Object.entries(state.newest));
  }

  get(commandUuid: string): LedgerEntry | undefined {
    return this.#entries.get(commandUuid);
  }

  /** Taken, and without an outcome. */
  open(): LedgerEntry[] {
    return [...this.#entries.values()].filter(({ state }) => state === 'accepted');
  }

  /** When the newest command that was taken of a group was given, or null. */
  newestOf(group: string): string | null {
    return this.#newest.get(group) ?? null;
  }

  /**
   * Notes a command that was taken (with its group) or refused.
   * @throws ProvisionError `permission` when it cannot be written: then it must not be carried out.
   */
  note(entry: LedgerEntry, group: string | null): void {
    const { command_uuid: uuid } = entry;
    const before = { entry: this.#entries.get(uuid), newest: group === null ? undefined : this.#newest.get(group) };
    this.#entries.set(uuid, entry);
    if (group !== null) this.#newest.set(group, entry.issued_at);
    this.#forgetOldest();
    try {
      this.#write();
    } catch (error) {
      // It was not taken after all: a repetition must find it as new as this one was.
      if (before.entry === undefined) this.#entries.delete(uuid);
      else this.#entries.set(uuid, before.entry);
      if (group !== null && before.newest === undefined) this.#newest.delete(group);
      else if (group !== null && before.newest !== undefined) this.#newest.set(group, before.newest);
      throw error;
    }
  }

  /** Notes the outcome. A file that cannot be written is told; the outcome counts all the same while this process lives. */
  end(commandUuid: string, state: 'done' | 'failed', reason: string | null): void {
    const entry = this.#entries.get(commandUuid);
    if (entry === undefined) return;
    this.#entries.set(commandUuid, { ...entry, state, reason });
    try {
      this.#write();
    } catch (error) {
      if (!(error instanceof ProvisionError)) throw error;
      this.#options.onProblem(error);
    }
  }

  #forgetOldest(): void {
    const most = this.#options.mostEntries ?? 256;
    for (const [uuid, { state }] of this.#entries) {
      if (this.#entries.size <= most) return;
      if (state !== 'accepted') this.#entries.delete(uuid);
    }
  }

  #read(): LedgerState {
    const { path, onProblem } = this.#options;
    try {
      const state = path === null ? null : readJsonFile(path, ledgerSchema);
      if (state !== null) return state;
      if (this.#options.carried !== undefined) return this.#options.carried;
    } catch (error) {
      if (!(error instanceof ProvisionError)) throw error;
      onProblem(error);
      // It is kept for whoever wants to know; the agent must not be stuck with it.
      if (path !== null && error.code === 'document_invalid') setAside(path);
    }
    return { entries: [], newest: {} };
  }

  #write(): void {
    if (this.#options.path === null) return;
    const state: LedgerState = { entries: [...this.#entries.values()], newest: Object.fromEntries(this.#newest) };
    writePrivateFile(this.#options.path, `${JSON.stringify(state, null, 2)}\n`);
  }
}

function setAside(path: string): void {
  try {
    renameSync(path, `${path}.damaged`);
  } catch {
    // A folder that cannot be written is told of when the next command is noted.
  }
}
