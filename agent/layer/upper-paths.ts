import { randomInt } from 'node:crypto';

/**
 * The paths that this layer has made, and their parents: whiteouts spare them, wherever they stand in the archive. Only
 * a 64-bit hash of each is kept (16 MiB for a million paths; keyed, so that no archive can choose a collision): a layer
 * of any length is tracked in little memory.
 */
export class UpperPaths {
  readonly #seed1 = randomInt(2 ** 32);
  readonly #seed2 = randomInt(2 ** 32);
  /** Pairs of the two halves; 0,0 is empty. */
  #table = new Uint32Array(2 * 4096);
  #count = 0;

  add(path: string): void {
    const [high, low] = this.#hash(path);
    if (insert(this.#table, high, low)) this.#count += 1;
    if (this.#count * 4 > this.#table.length) this.#grow();
  }

  /** Adds the path and every folder above it. */
  addWithParents(path: string): void {
    for (let current = path; current !== ''; current = current.slice(0, Math.max(0, current.lastIndexOf('/')))) {
      this.add(current);
    }
  }

  has(path: string): boolean {
    const [high, low] = this.#hash(path);
    return this.#table[2 * find(this.#table, high, low)] === high;
  }

  #grow(): void {
    const larger = new Uint32Array(this.#table.length * 2);
    for (let at = 0; at < this.#table.length; at += 2) {
      const high = this.#table[at] ?? 0;
      if (high !== 0) insert(larger, high, this.#table[at + 1] ?? 0);
    }
    this.#table = larger;
  }

  /** Two lanes of multiply-xor over the bytes; the first is never 0, which marks an empty place. */
  #hash(path: string): readonly [number, number] {
    let first = this.#seed1;
    let second = this.#seed2;
    for (let index = 0; index < path.length; index += 1) {
      const byte = path.charCodeAt(index);
      first = Math.imul(first ^ byte, 2654435761);
      second = Math.imul(second ^ byte, 1597334677);
      first ^= second >>> 15;
      second ^= first >>> 13;
    }
    first = Math.imul(first ^ (first >>> 16), 2246822507) ^ Math.imul(second ^ (second >>> 13), 3266489909);
    second = Math.imul(second ^ (second >>> 16), 2246822507) ^ Math.imul(first ^ (first >>> 13), 3266489909);
    return [first >>> 0 || 1, second >>> 0];
  }
}

/** Index of the pair, or of the free place where it belongs. */
function find(table: Uint32Array, high: number, low: number): number {
  const places = table.length / 2;
  let place = low & (places - 1);
  for (;;) {
    const stored = table[2 * place];
    if (stored === 0 || (stored === high && table[2 * place + 1] === low)) return place;
    place = (place + 1) & (places - 1);
  }
}

function insert(table: Uint32Array, high: number, low: number): boolean {
  const place = find(table, high, low);
  if (table[2 * place] !== 0) return false;
  table[2 * place] = high;
  table[2 * place + 1] = low;
  return true;
}
