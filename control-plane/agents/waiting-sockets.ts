import { isIPv4 } from 'node:net';
import type { AgentLimits } from './agent-limits.ts';

/** Counts sockets that have not said hello, so that who cannot sign anything cannot hold much. */
export class WaitingSockets {
  readonly #limits: Pick<AgentLimits, 'waitingPerAddress' | 'waitingInTotal'>;
  readonly #perGroup = new Map<string, number>();
  #total = 0;

  constructor(limits: Pick<AgentLimits, 'waitingPerAddress' | 'waitingInTotal'>) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  /** @returns A function that gives the place back (once); undefined when there is none. */
  enter(address: string): (() => void) | undefined {
    const group = addressGroup(address);
    const count = this.#perGroup.get(group) ?? 0;
    if (count >= this.#limits.waitingPerAddress || this.#total >= this.#limits.waitingInTotal) return undefined;
    this.#perGroup.set(group, count + 1);
    this.#total += 1;
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      this.#total -= 1;
      const left = (this.#perGroup.get(group) ?? 1) - 1;
      if (left > 0) this.#perGroup.set(group, left);
      else this.#perGroup.delete(group);
    };
  }
}

/** What one peer can have many of counts as one: an IPv6 /64 (RFC 6177), an IPv4 address in either notation. */
export function addressGroup(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');
  if (isIPv4(plain) || !plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  return [...before, ...new Array<string>(zeros).fill('0'), ...after]
    .slice(0, 4)
    .map((part) => Number.parseInt(part, 16).toString(16))
    .join(':');
}
