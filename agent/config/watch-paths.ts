import { existsSync, type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';

/** An editor writes a file in several steps; one look after them is enough. */
const settleMs = 50;

/**
 * Waits for files that may not exist yet, in folders that may not exist yet: inotify on the nearest folder that is
 * there, and a look every `pollMs` all the same, for network file systems and where the watches are used up.
 */
export class PathWatcher implements Disposable {
  readonly #paths: readonly string[];
  readonly #pollMs: number;
  #watchers: FSWatcher[] = [];
  #hasChanged = false;
  #wake: () => void = () => undefined;

  constructor(paths: readonly string[], pollMs: number) {
    this.#paths = paths;
    this.#pollMs = pollMs;
  }

  /** Starts to watch. Call it before looking at the files, so that nothing happens unseen in between. */
  arm(): void {
    this.#close();
    this.#hasChanged = false;
    for (const dir of new Set(this.#paths.map(nearestDir))) {
      try {
        const watcher = watch(dir, () => this.#onChange());
        watcher.on('error', () => this.#onChange());
        this.#watchers.push(watcher);
      } catch {
        // ENOSPC: no watches left. The timer looks.
      }
    }
  }

  /** Returns when something may have changed since `arm`, when it is time to look, or when the signal is aborted. */
  async changed(signal: AbortSignal): Promise<void> {
    if (!this.#hasChanged && !signal.aborted) await this.#sleep(signal, this.#pollMs);
    if (!signal.aborted && this.#hasChanged) {
      this.#hasChanged = false;
      await this.#sleep(signal, settleMs);
    }
  }

  [Symbol.dispose](): void {
    this.#close();
  }

  async #sleep(signal: AbortSignal, delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', finish);
        resolve();
      };
      const timer = setTimeout(finish, delayMs);
      this.#wake = delayMs === settleMs ? () => undefined : finish;
      signal.addEventListener('abort', finish, { once: true });
    });
    this.#wake = () => undefined;
  }

  #onChange(): void {
    this.#hasChanged = true;
    this.#wake();
  }

  #close(): void {
    for (const watcher of this.#watchers.splice(0)) watcher.close();
  }
}

/** The folder of a path, or the nearest one above it that exists. */
function nearestDir(path: string): string {
  let dir = dirname(path);
  while (!existsSync(dir) && dir !== dirname(dir)) dir = dirname(dir);
  return dir;
}
