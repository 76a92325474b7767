import { type PaxOverrides, parsePaxHeader } from './pax-records.ts';
import {
  checkFragments,
  DataMapReader,
  type Fragment,
  hasOldGnuExtension,
  mostFragments,
  readOldGnuFragments,
  readPaxSparse,
} from './sparse-map.ts';
import type { TarEntry, TarEvent } from './tar-entry.ts';
import { blockBytes, isZeroBlock, parseTarHeader, readText, type TarHeader } from './tar-header.ts';
import { mergeHeader, storesData } from './tar-merge.ts';
import { readNumber, TarFormatError } from './tar-numbers.ts';

/** Longest PAX header or GNU long name, as Go's archive/tar has it. */
const longestSpecialBytes = 1024 * 1024;

type State =
  | { readonly at: 'header' }
  /** The body of a PAX header or a GNU long name. */
  | { readonly at: 'special'; readonly typeflag: string; readonly parts: Buffer[]; leftBytes: number; padBytes: number }
  /** Old GNU sparse map, continued. */
  | { readonly at: 'extension'; readonly header: TarHeader; readonly entry: TarEntry; fragments: Fragment[] }
  /** PAX sparse 1.0 map. */
  | { readonly at: 'data-map'; readonly entry: TarEntry; readonly reader: DataMapReader; storedBytes: number }
  | { readonly at: 'data'; readonly entry: TarEntry; readonly fragments: Fragment[]; index: number; done: number }
  | { readonly at: 'skip'; leftBytes: number }
  /** After the end marker: whatever comes is taken and ignored, as every tar does. */
  | { readonly at: 'after-end' };

/**
 * Reads a tar stream (POSIX PAX, ustar, GNU, v7, sparse files of all formats) chunk by chunk. Same decisions as Go's
 * archive/tar where it accepts an archive, since that is what umoci and containerd read layers with. Data is given as
 * views of the chunks, never copied.
 * Every failure is a TarFormatError; `lastName` and `offsetBytes` tell where.
 */
export class TarParser {
  /** Bytes consumed so far. */
  offsetBytes = 0;
  /** Name of the entry that was read last, for messages. */
  lastName: string | null = null;
  hasEndMarker = false;
  /** Global PAX headers with more than a comment, which nothing applies. */
  ignoredGlobalHeaders = 0;

  #state: State = { at: 'header' };
  readonly #block = Buffer.alloc(blockBytes);
  #blockFill = 0;
  #padBytes = 0;
  #sawZeroBlock = false;
  #pax: PaxOverrides | null = null;
  #longName = '';
  #longLink = '';

  /** The events that this chunk completes. */
  *push(chunk: Buffer): Generator<TarEvent, void, undefined> {
    let offset = 0;
    while (offset < chunk.length) {
      const state = this.#state;
      if (state.at === 'after-end') {
        this.offsetBytes += chunk.length - offset;
        return;
      }
      if (state.at === 'data') {
        const bytes = this.#takeData(state, chunk, offset);
        offset += bytes.length;
        this.offsetBytes += bytes.length;
        if (bytes.length > 0) yield this.#dataEvent(state, bytes);
        if (state.index === state.fragments.length) yield this.#endOfFile(state.entry);
      } else if (state.at === 'skip') {
        const taken = Math.min(state.leftBytes, chunk.length - offset);
        offset += taken;
        this.offsetBytes += taken;
        state.leftBytes -= taken;
        if (state.leftBytes === 0) this.#state = { at: 'header' };
      } else if (state.at === 'special') {
        const taken = Math.min(state.leftBytes, chunk.length - offset);
        if (taken > 0) state.parts.push(chunk.subarray(offset, offset + taken));
        offset += taken;
        this.offsetBytes += taken;
        state.leftBytes -= taken;
        if (state.leftBytes === 0) this.#endOfSpecial(state.typeflag, Buffer.concat(state.parts), state.padBytes);
      } else {
        const taken = Math.min(blockBytes - this.#blockFill, chunk.length - offset);
        chunk.copy(this.#block, this.#blockFill, offset, offset + taken);
        offset += taken;
        this.offsetBytes += taken;
        this.#blockFill += taken;
        if (this.#blockFill < blockBytes) return;
        this.#blockFill = 0;
        yield* this.#takeBlock();
      }
    }
  }

  /** @throws TarFormatError when the stream ends inside a header or an entry. */
  finish(): void {
    const state = this.#state;
    // Padding that is cut off is no loss: Go and GNU tar take it.
    const isComplete =
      state.at === 'after-end' || state.at === 'skip' || (state.at === 'header' && this.#blockFill === 0);
    if (!isComplete) throw new TarFormatError('the archive ends in the middle of an entry');
    if (this.#pax !== null || this.#longName !== '' || this.#longLink !== '') {
      throw new TarFormatError('the archive ends after an extended header');
    }
  }

  *#takeBlock(): Generator<TarEvent, void, undefined> {
    const state = this.#state;
    if (state.at === 'header') yield* this.#takeHeader();
    else if (state.at === 'extension') {
      state.fragments.push(...readOldGnuFragments(this.#block, 'extension'));
      if (state.fragments.length > mostFragments) throw new TarFormatError('a sparse file has too many pieces');
      if (!hasOldGnuExtension(this.#block, 'extension')) {
        yield* this.#beginData(state.entry, state.header.sizeBytes, state.fragments);
      }
    } else if (state.at === 'data-map') {
      if (state.storedBytes < blockBytes) throw new TarFormatError('a sparse file ends inside its map');
      state.storedBytes -= blockBytes;
      if (state.reader.push(this.#block))
        yield* this.#beginData(state.entry, state.storedBytes, state.reader.fragments());
    }
  }

  *#takeHeader(): Generator<TarEvent, void, undefined> {
    if (isZeroBlock(this.#block)) {
      if (this.#sawZeroBlock) {
        this.hasEndMarker = true;
        this.#state = { at: 'after-end' };
      }
      this.#sawZeroBlock = true;
      return;
    }
    if (this.#sawZeroBlock) throw new TarFormatError('a single block of zeros is followed by something else');
    const header = parseTarHeader(this.#block);
    if (header.sizeBytes < 0) throw new TarFormatError('an entry has a negative size');
    if ('xgLK'.includes(header.typeflag)) this.#beginSpecial(header);
    else yield* this.#beginEntry(header);
  }

  #beginSpecial(header: TarHeader): void {
    const { sizeBytes, typeflag } = header;
    if (sizeBytes > longestSpecialBytes) throw new TarFormatError(`an extended header has ${sizeBytes} bytes`);
    const padBytes = paddingOf(sizeBytes);
    if (sizeBytes === 0) this.#endOfSpecial(typeflag, Buffer.alloc(0), 0);
    else this.#state = { at: 'special', typeflag, parts: [], leftBytes: sizeBytes, padBytes };
  }

  #endOfSpecial(typeflag: string, bytes: Buffer, padBytes: number): void {
    if (typeflag === 'L') this.#longName = readText(bytes, 0, bytes.length);
    else if (typeflag === 'K') this.#longLink = readText(bytes, 0, bytes.length);
    else if (typeflag === 'x') this.#pax = parsePaxHeader(bytes);
    else this.#noteGlobal(parsePaxHeader(bytes));
    this.#state = padBytes === 0 ? { at: 'header' } : { at: 'skip', leftBytes: padBytes };
  }

  /** Docker, containerd and BuildKit ignore global headers (`git archive` writes one with the commit). */
  #noteGlobal(pax: PaxOverrides): void {
    const { xattrs, sparse, ignored, ...texts } = pax;
    if (xattrs.length + sparse.size + ignored.length + Object.keys(texts).length > 0) this.ignoredGlobalHeaders += 1;
  }

  *#beginEntry(header: TarHeader): Generator<TarEvent, void, undefined> {
    const pax = this.#pax;
    const sparse = pax === null ? null : readPaxSparse(pax);
    const isOldSparse = header.typeflag === 'S';
    if (isOldSparse && !header.isGnu) throw new TarFormatError('a sparse entry is not in GNU format');
    const realBytes = isOldSparse ? readNumber(this.#block, 483, 12) : sparse?.realBytes;
    const names = { longName: this.#longName, longLink: this.#longLink, sparseName: sparse?.name };
    const { entry, storedBytes } = mergeHeader(header, pax, { ...names, realBytes });
    this.#pax = null;
    this.#longName = '';
    this.#longLink = '';
    this.lastName = entry.name;
    if ((isOldSparse || sparse !== null) && entry.kind !== 'file') {
      throw new TarFormatError('an entry that is no file is sparse');
    }
    if (isOldSparse && hasOldGnuExtension(this.#block, 'header')) {
      const sized = { ...header, sizeBytes: storedBytes };
      this.#state = { at: 'extension', header: sized, entry, fragments: readOldGnuFragments(this.#block, 'header') };
    } else if (isOldSparse) {
      yield* this.#beginData(entry, storedBytes, readOldGnuFragments(this.#block, 'header'));
    } else if (sparse?.form === 'in-data') {
      this.#state = { at: 'data-map', entry, reader: new DataMapReader(), storedBytes };
    } else if (sparse?.form === 'in-header') {
      yield* this.#beginData(entry, storedBytes, sparse.map);
    } else {
      yield* this.#beginData(entry, storedBytes, [{ offsetBytes: 0, lengthBytes: storedBytes }]);
    }
  }

  *#beginData(entry: TarEntry, storedBytes: number, map: readonly Fragment[]): Generator<TarEvent, void, undefined> {
    const hasData = storesData(entry.kind);
    const fragments = checkFragments(map, hasData ? entry.sizeBytes : storedBytes, storedBytes);
    this.#padBytes = paddingOf(storedBytes);
    this.#state = { at: 'header' };
    yield { type: 'entry', entry };
    if (!hasData) return;
    if (fragments.length === 0) yield this.#endOfFile(entry);
    else this.#state = { at: 'data', entry, fragments, index: 0, done: 0 };
  }

  #takeData(state: State & { at: 'data' }, chunk: Buffer, offset: number): Buffer {
    const fragment = state.fragments[state.index];
    const left = (fragment?.lengthBytes ?? 0) - state.done;
    return chunk.subarray(offset, offset + Math.min(left, chunk.length - offset));
  }

  #dataEvent(state: State & { at: 'data' }, bytes: Buffer): TarEvent {
    const fragment = state.fragments[state.index];
    const offsetBytes = (fragment?.offsetBytes ?? 0) + state.done;
    state.done += bytes.length;
    if (state.done === fragment?.lengthBytes) {
      state.index += 1;
      state.done = 0;
    }
    return { type: 'data', bytes, offsetBytes };
  }

  #endOfFile(entry: TarEntry): TarEvent {
    this.#state = this.#padBytes === 0 ? { at: 'header' } : { at: 'skip', leftBytes: this.#padBytes };
    return { type: 'end', entry };
  }
}

function paddingOf(sizeBytes: number): number {
  return (blockBytes - (sizeBytes % blockBytes)) % blockBytes;
}
