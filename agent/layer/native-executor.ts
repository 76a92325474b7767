import type { Native } from '../native/native.ts';
import { applyWhiteout } from './apply-whiteout.ts';
import { DirectoryKeeper } from './directory-keeper.ts';
import { joinPath, type OpenDirectory } from './directory-table.ts';
import type { ExecutorTotals, LayerExecutor } from './executor.ts';
import { SymlinkLoop } from './find-directory.ts';
import { entryError, type LayerContext, layerError } from './layer-error.ts';
import type { Place } from './layer-program.ts';
import { OpenRoot } from './open-root.ts';
import type { FileEntry, LayerEntry, LinkEntry } from './plan-entry.ts';
import { ProgramRunner } from './program-runner.ts';
import { displayName } from './tar-entry.ts';
import { UpperPaths } from './upper-paths.ts';

export interface NativeExecutorOptions {
  readonly native: Native;
  readonly context: LayerContext;
  /** Real paths on which something else is mounted. */
  readonly hiddenBelow: readonly string[];
  readonly afterWrite?: ((fileBytesTotal: number) => Promise<void> | void) | undefined;
}

type ChildEntry = Exclude<LayerEntry, { kind: 'root' | 'whiteout' | 'opaque' }>;

/**
 * Turns planned entries into programs of the native addon, which run on another thread while the next entries are
 * parsed. What only creates goes into the program; what must look at the disk first (a parent that is not open yet, a
 * symlink on the way, a whiteout, a folder to be replaced) waits until the program is done and acts by itself.
 * Semantics are umoci's (`oci/layer/tar_extract.go`), entry by entry.
 */
export class NativeExecutor implements LayerExecutor {
  readonly #options: NativeExecutorOptions;
  readonly #root: OpenRoot;
  readonly #runner: ProgramRunner;
  readonly #keeper: DirectoryKeeper;
  readonly #upper = new UpperPaths();
  readonly #cancel: () => void;
  #file: { readonly entry: FileEntry; endBytes: number } | null = null;
  #entries = 0;
  #whiteouts = 0;
  #fileBytes = 0;
  #hidden = 0;
  #hiddenExample: string | null = null;

  constructor(options: NativeExecutorOptions) {
    const { native, context, afterWrite } = options;
    this.#options = options;
    this.#root = new OpenRoot(native, context.root);
    const { layer } = this.#root;
    const clearTree = (place: Place): Promise<void> => this.#root.remove(place.slot, place.name, context.signal);
    this.#runner = new ProgramRunner({ native, layer, context, clearTree, afterWrite });
    this.#keeper = new DirectoryKeeper(this.#root, this.#runner, context.signal);
    this.#cancel = () => native.layerCancel(layer);
    context.signal.addEventListener('abort', this.#cancel, { once: true });
  }

  begin(entry: LayerEntry): Promise<void> | undefined {
    this.#entries += 1;
    this.#runner.own(entry.archiveName);
    if (entry.kind === 'whiteout' || entry.kind === 'opaque')
      return this.#guard(entry, () => this.#applyWhiteout(entry));
    if (entry.kind === 'root') {
      this.#setDirectory(this.#root.top, entry);
      return this.#runner.throttle();
    }
    const parent = this.#root.table.get(entry.parent);
    const target = entry.kind === 'link' ? this.#root.table.get(entry.targetParent) : undefined;
    const isSimple = parent && !this.#isInTheWay(parent, entry) && (entry.kind !== 'link' || target !== undefined);
    if (!isSimple) return this.#guard(entry, () => this.#beginSlowly(entry));
    this.#queue(entry, parent, target);
    return this.#runner.throttle();
  }

  write(bytes: Buffer, offsetBytes: number): Promise<void> | undefined {
    if (this.#file === null) return undefined;
    this.#runner.program.fileWrite(bytes, offsetBytes);
    this.#runner.addData(bytes.length);
    this.#fileBytes += bytes.length;
    this.#file.endBytes = offsetBytes + bytes.length;
    return this.#runner.throttle();
  }

  endFile(): Promise<void> | undefined {
    if (this.#file === null) return undefined;
    const { entry, endBytes } = this.#file;
    this.#file = null;
    this.#runner.program.fileFinish(entry.metadata, endBytes === entry.sizeBytes ? null : entry.sizeBytes);
    return this.#runner.throttle();
  }

  kick(): void {
    this.#runner.kick();
  }

  fileBytes(): number {
    return this.#fileBytes;
  }

  async finish(): Promise<ExecutorTotals> {
    for (const directory of this.#root.table.takeAll()) this.#keeper.queueClose(directory);
    await this.#runner.drain();
    return {
      entries: this.#entries,
      whiteouts: this.#whiteouts,
      fileBytes: this.#fileBytes,
      hidden: { count: this.#hidden, example: this.#hiddenExample },
      unsupportedXattrs: this.#runner.unsupportedXattrs,
    };
  }

  async close(): Promise<void> {
    this.#options.context.signal.removeEventListener('abort', this.#cancel);
    this.#cancel();
    await this.#runner.settle();
    this.#root.close();
  }

  /** An error of what is done outside of a program names the entry too. */
  async #guard(entry: LayerEntry, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      const { context } = this.#options;
      if (error instanceof SymlinkLoop)
        throw entryError(context, entry.archiveName, `its path is a loop: ${error.message}`);
      throw layerError(error, context, entry.archiveName);
    }
  }

  async #applyWhiteout(entry: LayerEntry & { kind: 'whiteout' | 'opaque' }): Promise<void> {
    await this.#runner.drain();
    this.#whiteouts += 1;
    const { directory, missing } = await this.#keeper.find(entry.parent);
    if (missing.length > 0) return;
    const scope = { directory, root: this.#root, upper: this.#upper, keeper: this.#keeper };
    await applyWhiteout(entry, { ...scope, context: this.#options.context });
  }

  /** The parent has to be looked up or made, or a folder stands in the way, or the link's target has to be found. */
  async #beginSlowly(entry: ChildEntry): Promise<void> {
    await this.#runner.drain();
    const found = await this.#keeper.find(entry.parent);
    if (found.blockedBy !== null) {
      throw entryError(this.#options.context, entry.archiveName, 'a parent of it is not a directory');
    }
    const parent = await this.#keeper.makeMissing(found);
    const path = joinPath(parent.path, entry.name);
    // umoci removes what is there before it resolves a hard link's target, which may lead through it.
    if (entry.kind !== 'directory' && (entry.kind === 'link' || this.#root.table.getReal(path))) {
      await this.#keeper.clear(parent, entry.name, path);
    }
    const target = entry.kind === 'link' ? await this.#findTarget(entry, parent) : undefined;
    this.#runner.own(entry.archiveName);
    this.#queue(entry, parent, target);
    await this.#keeper.trim(parent);
    await this.#runner.throttle();
  }

  async #findTarget(entry: LinkEntry, parent: OpenDirectory): Promise<OpenDirectory | undefined> {
    const found = await this.#keeper.findBeside(parent, entry.targetParent);
    return found.missing.length === 0 ? found.directory : undefined;
  }

  /** A folder that is open stands where something else shall be. */
  #isInTheWay(parent: OpenDirectory, entry: ChildEntry): boolean {
    return entry.kind !== 'directory' && this.#root.table.getReal(joinPath(parent.path, entry.name)) !== undefined;
  }

  #queue(entry: ChildEntry, parent: OpenDirectory, target?: OpenDirectory): void {
    const path = joinPath(parent.path, entry.name);
    const place = { slot: parent.slot, name: entry.name };
    this.#note(entry, parent, path);
    const { program } = this.#runner;
    if (entry.kind === 'directory') this.#queueDirectory(entry, parent, path);
    else if (entry.kind === 'symlink') program.symlink(place, entry.target, entry.metadata);
    else if (entry.kind === 'node') program.node(place, entry, entry.metadata);
    else if (entry.kind === 'link') this.#queueLink(entry, place, target);
    else {
      program.fileCreate(place, entry.metadata.mode);
      this.#file = { entry, endBytes: 0 };
    }
  }

  #queueDirectory(entry: ChildEntry & { kind: 'directory' }, parent: OpenDirectory, path: string): void {
    const open = this.#root.table.getReal(path);
    if (open) {
      this.#setDirectory(open, entry);
      return;
    }
    const directory = this.#root.table.add(path, parent, entry.metadata);
    directory.isUpper = true;
    this.#runner.program.directory({ slot: parent.slot, name: entry.name }, directory.slot, entry.metadata);
    for (const excess of this.#root.table.takeExcess(directory)) this.#keeper.queueClose(excess);
  }

  #queueLink(entry: LinkEntry, place: Place, target: OpenDirectory | undefined): void {
    if (target === undefined || entry.targetName === '') {
      const why = target === undefined ? 'does not exist' : 'is the root directory';
      throw entryError(
        this.#options.context,
        entry.archiveName,
        `its link target ${displayName(entry.targetArchiveName)} ${why}`,
      );
    }
    this.#runner.program.link(place, { slot: target.slot, name: entry.targetName });
  }

  #setDirectory(directory: OpenDirectory, entry: LayerEntry & { kind: 'root' | 'directory' }): void {
    this.#runner.program.directoryMeta(directory.slot, entry.metadata);
    directory.times = entry.metadata;
    directory.isTouched = false;
  }

  /** What later entries have to know of this one. */
  #note(entry: ChildEntry, parent: OpenDirectory, path: string): void {
    parent.isTouched = true;
    if (!parent.isUpper) {
      this.#upper.addWithParents(parent.path);
      parent.isUpper = true;
    }
    this.#upper.add(path);
    this.#root.table.replaced(path);
    if (!this.#options.hiddenBelow.some((hidden) => path.startsWith(`${hidden}/`))) return;
    this.#hidden += 1;
    this.#hiddenExample ??= displayName(entry.archiveName);
  }
}
