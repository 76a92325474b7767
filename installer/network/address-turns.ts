import { throwIfAborted } from '../../core/base/abort.ts';
import type { SourceRules } from './source-rules.ts';

/**
 * Links in networks that know nothing of each other can have the same address, and a source address is all that tells
 * their connections apart. Links with one address therefore take turns; each has the rules while it is its turn.
 */
export class AddressTurns {
  readonly #rules: SourceRules;
  readonly #last = new Map<string, Promise<void>>();

  constructor(rules: SourceRules) {
    this.#rules = rules;
  }

  /** Runs `action` while these addresses lead to this table, and to no other link's. */
  async take(
    addresses: readonly string[],
    table: string,
    action: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const before = addresses.map((address) => this.#last.get(address));
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    // All at once: two links that share two addresses never wait for each other.
    for (const address of addresses) this.#last.set(address, over);
    try {
      await Promise.all(before);
      throwIfAborted(signal);
      // A link-local address with its zone binds a socket to the link by itself.
      for (const address of addresses) if (!address.includes('%')) await this.#rules.point(address, table, signal);
      await action();
    } finally {
      end();
    }
  }
}
