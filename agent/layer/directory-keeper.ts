import type { OpenDirectory } from './directory-table.ts';
import { type Found, findDirectory } from './find-directory.ts';
import type { OpenRoot } from './open-root.ts';
import type { ProgramRunner } from './program-runner.ts';

/**
 * Opens folders for what has to look at the disk, and closes them with their times restored. Slots are reused: what
 * closes one here waits until that is done, so that no queued record meets another folder than it was written for.
 */
export class DirectoryKeeper {
  readonly #root: OpenRoot;
  readonly #runner: ProgramRunner;
  readonly #signal: AbortSignal;

  constructor(root: OpenRoot, runner: ProgramRunner, signal: AbortSignal) {
    this.#root = root;
    this.#runner = runner;
    this.#signal = signal;
  }

  /** Where a spelled path leads; only when no program runs or waits. */
  async find(spelled: string): Promise<Found> {
    return await findDirectory(this.#root, spelled, (opened) => this.trim(opened));
  }

  /** As `find`; `parent` stays open meanwhile. */
  async findBeside(parent: OpenDirectory, spelled: string): Promise<Found> {
    parent.openChildren += 1;
    try {
      return await this.find(spelled);
    } finally {
      parent.openChildren -= 1;
    }
  }

  /** Makes what is missing of a path, folders that no entry describes. */
  async makeMissing(found: Found): Promise<OpenDirectory> {
    let { directory } = found;
    for (const name of found.missing) {
      directory = this.#root.makeImplicit(directory, name);
      await this.trim(directory);
    }
    return directory;
  }

  /** Removes whatever stands at a name, with all that is below. */
  async clear(parent: OpenDirectory, name: string, path: string): Promise<void> {
    await this.forgetTree(path);
    this.#root.table.forgetAliases();
    parent.isTouched = true;
    await this.#root.remove(parent.slot, name, this.#signal);
  }

  /** Closes the folders that were not used for longest. */
  async trim(keep: OpenDirectory): Promise<void> {
    const excess = this.#root.table.takeExcess(keep);
    if (excess.length === 0) return;
    for (const directory of excess) this.queueClose(directory);
    await this.#runner.drain();
  }

  /** Closes folders that will be removed, without a look at their times. */
  async forgetTree(path: string): Promise<void> {
    for (const directory of this.#root.table.takeTree(path)) this.#runner.program.directoryClose(directory.slot, null);
    await this.#runner.drain();
  }

  queueClose(directory: OpenDirectory): void {
    this.#runner.program.directoryClose(directory.slot, directory.isTouched ? directory.times : null);
  }
}
