import type { SourceRules } from './source-rules.ts';

/**
 * Lets everything go by the working link at once, though other links may still have routes in the main table: theirs go as
 * fast as their DHCP clients end, which takes seconds on a machine with many cards.
 */
export class RouteFence {
  readonly #rules: SourceRules;
  /** Of the last time that it was closed; null: it is open. */
  #closed: symbol | null = null;

  constructor(rules: SourceRules) {
    this.#rules = rules;
  }

  /** Closes it until `end`. @param table The working link's. @throws ProvisionError `tool_missing`, `aborted`. */
  async close(table: string, end: Promise<unknown>, signal: AbortSignal): Promise<void> {
    const closed = Symbol(table);
    this.#closed = closed;
    await this.#rules.setOnlyWay(table, signal);
    void end.then(() => {
      if (this.#closed === closed) this.open(signal);
    });
  }

  /** Opens it: the main table counts, and all links in it. */
  open(signal: AbortSignal): void {
    if (this.#closed === null) return;
    this.#closed = null;
    // Changes come one after the other: whoever closes it next does so after this.
    void this.#rules.setOnlyWay(null, signal).catch(() => undefined);
  }
}
