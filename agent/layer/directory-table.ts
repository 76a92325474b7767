import type { Times } from './layer-program.ts';

/** Open folders beyond this are closed, least recently used first; archives stay in one part of the tree for long. */
const mostOpen = 128;
/** Slots of the native table (DIRECTORY_SLOTS). */
const slotCount = 8704;

/** A folder of the root that is open in a slot, by its real path: no component of it is a symlink. */
export interface OpenDirectory {
  /** '' is the root. */
  readonly path: string;
  readonly parent: OpenDirectory | null;
  readonly slot: number;
  /** What its times shall be in the end; null for a folder that no archive has described. */
  times: Times | null;
  /** Something in it was made or removed since its times were set. */
  isTouched: boolean;
  /** It and its parents are in UpperPaths. */
  isUpper: boolean;
  openChildren: number;
}

/**
 * Which folders are open, and where: real path → slot. A folder's parent is open as long as it is, so that asking for a
 * path tells too whether anything below it is open.
 */
export class DirectoryTable {
  readonly #byPath = new Map<string, OpenDirectory>();
  readonly #freeSlots: number[] = [];
  #nextSlot = 0;
  #latest: OpenDirectory | null = null;
  /** Spelled path (through symlinks) → real path, and every symlink that such a path went through. */
  readonly #aliases = new Map<string, string>();
  readonly #aliasLinks = new Set<string>();

  add(path: string, parent: OpenDirectory | null, times: Times | null): OpenDirectory {
    const slot = this.#freeSlots.pop() ?? this.#nextSlot++;
    if (slot >= slotCount) throw Object.assign(new Error('too many folders are open'), { code: 'EMFILE' });
    const directory = { path, parent, slot, times, isTouched: false, isUpper: false, openChildren: 0 };
    if (parent) parent.openChildren += 1;
    this.#byPath.set(path, directory);
    this.#latest = directory;
    return directory;
  }

  /** By real path, or by a spelled path that was resolved before. */
  get(path: string): OpenDirectory | undefined {
    if (this.#latest?.path === path) return this.#latest;
    const directory = this.#byPath.get(path) ?? this.#byPath.get(this.#aliases.get(path) ?? path);
    if (directory) this.#use(directory);
    return directory;
  }

  /** By real path only, for what is created or removed there. */
  getReal(path: string): OpenDirectory | undefined {
    return this.#byPath.get(path);
  }

  addAlias(spelled: string, real: string, links: readonly string[]): void {
    if (this.#aliases.size > 4096) this.forgetAliases();
    this.#aliases.set(spelled, real);
    for (const link of links) this.#aliasLinks.add(link);
  }

  forgetAliases(): void {
    this.#aliases.clear();
    this.#aliasLinks.clear();
  }

  /** Something else comes to this path: what was resolved through it counts no more. */
  replaced(path: string): void {
    if (this.#aliasLinks.has(path)) this.forgetAliases();
  }

  /** The folders to close so that the limit is kept: never one that has open children, nor `keep`, nor the root. */
  takeExcess(keep?: OpenDirectory): OpenDirectory[] {
    const excess: OpenDirectory[] = [];
    if (this.#byPath.size <= mostOpen) return excess;
    for (const directory of this.#byPath.values()) {
      if (this.#byPath.size - excess.length <= mostOpen) break;
      const isPinned = directory.openChildren > 0 || directory === keep || directory.parent === null;
      if (!isPinned) excess.push(directory);
    }
    for (const directory of excess) this.#forget(directory);
    return excess;
  }

  /** Takes out the folder and all that are open below it, deepest first. */
  takeTree(path: string): OpenDirectory[] {
    const taken: OpenDirectory[] = [];
    if (!this.#byPath.has(path)) return taken;
    for (const directory of this.#byPath.values()) {
      if (directory.path === path || directory.path.startsWith(`${path}/`)) taken.push(directory);
    }
    taken.sort((left, right) => right.path.length - left.path.length);
    for (const directory of taken) this.#forget(directory);
    return taken;
  }

  takeAll(): OpenDirectory[] {
    const all = [...this.#byPath.values()];
    this.#byPath.clear();
    this.#latest = null;
    return all;
  }

  #forget(directory: OpenDirectory): void {
    this.#byPath.delete(directory.path);
    this.#freeSlots.push(directory.slot);
    if (directory.parent) directory.parent.openChildren -= 1;
    if (this.#latest === directory) this.#latest = null;
  }

  /** A Map keeps the order of insertion: the most recently used stands last. */
  #use(directory: OpenDirectory): void {
    this.#byPath.delete(directory.path);
    this.#byPath.set(directory.path, directory);
    this.#latest = directory;
  }
}

export function joinPath(parent: string, name: string): string {
  return parent === '' ? name : `${parent}/${name}`;
}
