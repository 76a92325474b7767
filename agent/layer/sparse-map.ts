import type { PaxOverrides } from './pax-records.ts';
import { blockBytes } from './tar-header.ts';
import { parseDecimal, readNumber, TarFormatError } from './tar-numbers.ts';

/** A piece of a sparse file that is stored; what lies between pieces is a hole. */
export interface Fragment {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** 16 MB of map; a 10 GiB file with a hole after each 8 KiB has fewer. */
export const mostFragments = 1_000_000;

/** How a PAX header describes a sparse file (GNU tar manual, "Sparse Formats"); null when it does not. */
export type PaxSparse =
  | { readonly form: 'in-header'; readonly name?: string; readonly realBytes?: number; readonly map: Fragment[] }
  | { readonly form: 'in-data'; readonly name?: string; readonly realBytes?: number };

/** @throws TarFormatError when the map is malformed. */
export function readPaxSparse(pax: PaxOverrides): PaxSparse | null {
  const { sparse } = pax;
  if (sparse.size === 0) return null;
  const version = `${sparse.get('major') ?? ''}.${sparse.get('minor') ?? ''}`;
  const isInData = version === '1.0';
  const isInHeader = version === '0.0' || version === '0.1' || (version === '.' && Boolean(sparse.get('map')));
  if (!isInData && !isInHeader) return null;
  const name = sparse.get('name');
  const size = sparse.get('size') || sparse.get('realsize');
  const common = {
    ...(name ? { name } : {}),
    ...(size ? { realBytes: parseDecimal(size) } : {}),
  };
  return isInData
    ? { form: 'in-data', ...common }
    : { form: 'in-header', ...common, map: readHeaderMap(sparse.get('map') ?? '', sparse.get('numblocks')) };
}

/** `offset,length,offset,length…` of format 0.1. */
function readHeaderMap(text: string, count: string | undefined): Fragment[] {
  const numbers = text === '' ? [] : text.split(',').map(parseDecimal);
  if (count && parseDecimal(count) * 2 !== numbers.length) throw new TarFormatError('the sparse map has a wrong count');
  return toFragments(numbers);
}

/**
 * Format 1.0: the map stands before the data, as decimal lines (count, then offset and length of each) filled up to a
 * whole block. Fed block by block; `done` gives the map once its last line was read.
 */
export class DataMapReader {
  #text = '';
  #wanted = -1;
  readonly #numbers: number[] = [];

  /** @returns true when the map is complete; the data begins with the next block. */
  push(block: Buffer): boolean {
    this.#text += block.toString('latin1', 0, blockBytes);
    let start = 0;
    for (let end = this.#text.indexOf('\n', start); end >= 0; end = this.#text.indexOf('\n', start)) {
      const number = parseDecimal(this.#text.slice(start, end));
      start = end + 1;
      if (this.#wanted < 0) this.#begin(number);
      else this.#numbers.push(number);
      if (this.#numbers.length === this.#wanted) return true;
    }
    this.#text = this.#text.slice(start);
    if (this.#text.length > blockBytes) throw new TarFormatError('a line of the sparse map is too long');
    return false;
  }

  fragments(): Fragment[] {
    return toFragments(this.#numbers);
  }

  #begin(count: number): void {
    if (count < 0 || count > mostFragments) throw new TarFormatError(`a sparse file has ${count} pieces`);
    this.#wanted = count * 2;
  }
}

/** Old GNU format: 4 pieces in the header at 386, 21 in each extension block. */
export function readOldGnuFragments(block: Buffer, where: 'header' | 'extension'): Fragment[] {
  const [start, count] = where === 'header' ? [386, 4] : [0, 21];
  const fragments: Fragment[] = [];
  for (let index = 0; index < count; index += 1) {
    const at = start + index * 24;
    if (block[at] === 0) break;
    fragments.push({ offsetBytes: readNumber(block, at, 12), lengthBytes: readNumber(block, at + 12, 12) });
  }
  return fragments;
}

/** Whether one more extension block follows. */
export function hasOldGnuExtension(block: Buffer, where: 'header' | 'extension'): boolean {
  return (block[where === 'header' ? 482 : 504] ?? 0) !== 0;
}

/**
 * The map without empty pieces, when it is in order, inside the file and says as many bytes as are stored.
 * @throws TarFormatError otherwise.
 */
export function checkFragments(fragments: readonly Fragment[], realBytes: number, storedBytes: number): Fragment[] {
  let end = 0;
  let sum = 0;
  for (const { offsetBytes, lengthBytes } of fragments) {
    if (offsetBytes < end || lengthBytes < 0 || offsetBytes + lengthBytes > realBytes) {
      throw new TarFormatError('the sparse map does not fit the file');
    }
    end = offsetBytes + lengthBytes;
    sum += lengthBytes;
  }
  if (sum !== storedBytes) throw new TarFormatError(`a sparse file has ${storedBytes} bytes, its map says ${sum}`);
  return fragments.filter(({ lengthBytes }) => lengthBytes > 0);
}

function toFragments(numbers: readonly number[]): Fragment[] {
  if (numbers.length % 2 !== 0) throw new TarFormatError('the sparse map has an odd count of numbers');
  if (numbers.length / 2 > mostFragments) throw new TarFormatError(`a sparse file has ${numbers.length / 2} pieces`);
  const fragments: Fragment[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    fragments.push({ offsetBytes: numbers[index] ?? 0, lengthBytes: numbers[index + 1] ?? 0 });
  }
  return fragments;
}
