import { ApiError } from '../http/api-error.ts';
import { FileChangedError, FileSource } from './file-source.ts';

/** What was worked out from a whole file, once per version of the file; askers at the same time wait for one reading. */
export class KeptResults<T> {
  readonly #results = new Map<string, { readonly version: string; readonly result: Promise<T> }>();
  readonly #work: (file: FileSource) => Promise<T>;

  constructor(work: (file: FileSource) => Promise<T>) {
    this.#work = work;
  }

  /** @throws ApiError 503 when the file is being written; whatever `work` throws. */
  async of(file: FileSource): Promise<T> {
    const kept = this.#results.get(file.path);
    if (kept?.version === file.version) return await kept.result;
    const result = this.#fresh(file.path, file.version);
    this.#results.set(file.path, { version: file.version, result });
    try {
      return await result;
    } catch (error) {
      if (this.#results.get(file.path)?.result === result) this.#results.delete(file.path);
      throw error;
    }
  }

  /** With a handle of its own: the asker may be gone before the last of those that wait for it. */
  async #fresh(path: string, version: string): Promise<T> {
    await using file = await FileSource.open(path);
    if (file?.version !== version) throw changing();
    try {
      const result = await this.#work(file);
      await file.assertUnchanged();
      return result;
    } catch (error) {
      if (error instanceof FileChangedError) throw changing();
      throw error;
    }
  }
}

function changing(): ApiError {
  return new ApiError(503, 'the file is being replaced: ask again in a few seconds', { retryAfterSeconds: 5 });
}
