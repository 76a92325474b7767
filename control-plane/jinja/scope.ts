import type { Value } from './values.ts';

/** The names of a block, over those of the block around it. */
export class Scope {
  readonly #values = new Map<string, Value>();
  readonly #parent: Scope | null;

  constructor(parent: Scope | null) {
    this.#parent = parent;
  }

  get(name: string): Value | undefined {
    let scope: Scope | null = this;
    while (scope !== null) {
      const value = scope.#values.get(name);
      if (value !== undefined) return value;
      scope = scope.#parent;
    }
    return undefined;
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }
}
