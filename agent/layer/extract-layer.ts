import { abortError, throwIfAborted } from '../../core/base/abort.ts';
import { loadNative } from '../native/load-native.ts';
import type { LayerExecutor } from './executor.ts';
import { entryError, type LayerContext, streamError } from './layer-error.ts';
import { NativeExecutor } from './native-executor.ts';
import { cleanPath, planEntry, unsetXattrs } from './plan-entry.ts';
import { displayName, type TarEntry, type TarEvent } from './tar-entry.ts';
import { TarFormatError } from './tar-numbers.ts';
import { TarParser } from './tar-parser.ts';
import type { ExtractLayer, ExtractLayerOptions, LayerResult } from './types.ts';

/**
 * Extracts one uncompressed layer onto a mounted root: parse (tar-parser) → entry plan (plan-entry) → executor. The tree
 * is the one that `umoci unpack` gives (provisioning.md, invariants 5 and 6). Nothing is flushed to the medium here.
 * @throws ProvisionError layer_entry_invalid, stream_corrupt, stream_truncated, root_full, device_io, permission,
 * memory_insufficient, aborted, bundle_missing; or whatever error the stream itself ends with.
 */
export const extractLayer: ExtractLayer = async (tar, options) => {
  const { signal, root, label } = options;
  throwIfAborted(signal);
  const context: LayerContext = { label, root, signal };
  const hiddenBelow = (options.hiddenBelow ?? []).map((path) => cleanPath(Buffer.from(path).toString('latin1')));
  const { afterWrite } = options;
  const executor = new NativeExecutor({ native: loadNative(), context, hiddenBelow, afterWrite });
  const stopReading = (): void => void tar.destroy(abortError(signal));
  signal.addEventListener('abort', stopReading, { once: true });
  try {
    const extraction = new Extraction(executor, context, options);
    for await (const chunk of tar) {
      throwIfAborted(signal);
      await extraction.push(chunk);
    }
    return await extraction.finish();
  } finally {
    signal.removeEventListener('abort', stopReading);
    await executor.close();
  }
};

/** One layer on its way from the parser to the executor. */
class Extraction {
  readonly #parser = new TarParser();
  readonly #executor: LayerExecutor;
  readonly #context: LayerContext;
  readonly #options: ExtractLayerOptions;
  readonly #skipped = new Map<string, { count: number; example: string }>();
  #entries = 0;

  constructor(executor: LayerExecutor, context: LayerContext, options: ExtractLayerOptions) {
    this.#executor = executor;
    this.#context = context;
    this.#options = options;
  }

  async push(chunk: Buffer): Promise<void> {
    const events = this.#parser.push(chunk);
    for (let event = this.#next(events); event !== undefined; event = this.#next(events)) {
      const pending = this.#handle(event);
      if (pending) await pending;
    }
    this.#executor.kick();
    const { offsetBytes } = this.#parser;
    const fileBytes = this.#executor.fileBytes();
    this.#options.onProgress?.({ tarBytes: offsetBytes, fileBytes, entries: this.#entries });
  }

  async finish(): Promise<LayerResult> {
    try {
      this.#parser.finish();
    } catch (error) {
      throw this.#streamError(error, true);
    }
    const { unsupportedXattrs, ...totals } = await this.#executor.finish();
    return { ...totals, warnings: this.#warnings(unsupportedXattrs) };
  }

  #next(events: Generator<TarEvent, void, undefined>): TarEvent | undefined {
    try {
      const { value, done } = events.next();
      return done ? undefined : value;
    } catch (error) {
      throw this.#streamError(error, false);
    }
  }

  #handle(event: TarEvent): Promise<void> | undefined {
    if (event.type === 'data') return this.#executor.write(event.bytes, event.offsetBytes);
    if (event.type === 'end') return this.#executor.endFile();
    this.#entries += 1;
    this.#noteSkipped(event.entry);
    try {
      return this.#executor.begin(planEntry(event.entry));
    } catch (error) {
      if (!(error instanceof TarFormatError)) throw error;
      throw entryError(this.#context, event.entry.name, error.message);
    }
  }

  #noteSkipped(entry: TarEntry): void {
    if (entry.xattrs.length === 0 && entry.ignored.length === 0) return;
    const unset = entry.xattrs.filter(({ name }) => unsetXattrs.includes(name)).map(({ name }) => displayName(name));
    for (const what of [...unset, ...entry.ignored.map(displayName)]) {
      const known = this.#skipped.get(what);
      if (known) known.count += 1;
      else this.#skipped.set(what, { count: 1, example: displayName(entry.name) });
    }
  }

  #warnings(unsupportedXattrs: number): string[] {
    const { label } = this.#context;
    const warnings: string[] = [];
    for (const [what, { count, example }] of this.#skipped) {
      warnings.push(`${label}: ${what} of ${count} entries is not set, for example of ${example}`);
    }
    if (unsupportedXattrs > 0) {
      warnings.push(`${label}: the root filesystem does not support ${unsupportedXattrs} extended attributes`);
    }
    if (this.#parser.ignoredGlobalHeaders > 0) warnings.push(`${label}: a global PAX header is ignored`);
    if (!this.#parser.hasEndMarker) warnings.push(`${label}: the archive has no end marker`);
    return warnings;
  }

  #streamError(error: unknown, isEnd: boolean): unknown {
    if (!(error instanceof TarFormatError)) return error;
    const { offsetBytes, lastName } = this.#parser;
    return streamError(this.#context, error, { offsetBytes, lastName, isEnd });
  }
}
