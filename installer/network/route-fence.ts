import type { SourceRules } from './source-rules.ts';

/**
 * Lets everything go by the working link at once, though other links may still have routes in the main table: theirs go as
 * fast as their DHCP clients end, which takes seconds on a machine with many cards.
 */
export class RouteFence {
  readonly #rules: SourceRules;
  /** Of the last time that it was closed. */
  #closed: symbol | null = null;

  constructor(rules: SourceRules) {
    this.#rules = rules;
  }

  /**
   * Closes it until `end`, or until it is closed for another link.
   * @param table The working link's.
   * @param end The others have given back what they had, or may go on because the working link was lost.
   * @throws ProvisionError `tool_missing`, `tool_failed`, `aborted`.
   */
  async close(table: string, end: Promise<unknown>, signal: AbortSignal): Promise<void> {
    const closed = Symbol(table);
    this.#closed = closed;
    await this.#rules.setOnlyWay(table, signal);
    void end.then(async () => {
      // Changes come one after the other: whoever closes it next does so after this.
      if (this.#closed === closed) await this.#rules.setOnlyWay(null, signal).catch(() => undefined);
    });
  }
}
