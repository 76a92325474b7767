import type { RootFiles } from '../rootfs/root-files.ts';
import type { PartitionIdentity } from '../rootfs/types.ts';

/** A file as GRUB names it, found on the disk. */
export interface FoundFile {
  /** `root`: a path in the mounted root filesystem (with /boot); `esp`: one on the EFI system partition. */
  readonly on: 'root' | 'esp';
  readonly path: string;
}

export interface GrubDiskOptions {
  readonly files: RootFiles;
  /** As they are now, after identifiers were renewed. */
  readonly partitions: readonly PartitionIdentity[];
  readonly rootNumber: number;
  /** Partition that is mounted on `/boot` of the root; null when /boot is a folder. */
  readonly bootNumber: number | null;
  readonly espNumber: number | null;
  /** All files of the ESP; text where it is small (loader configuration), else null. */
  readonly espFiles: ReadonlyMap<string, string | null>;
}

/** The installed disk as GRUB sees it: `(hd0,gptN)` devices, and files on the partitions that are reachable. */
export class GrubDisk {
  readonly #options: GrubDiskOptions;

  constructor(options: GrubDiskOptions) {
    this.#options = options;
  }

  get partitions(): readonly PartitionIdentity[] {
    return this.#options.partitions;
  }

  /** Partition that holds `/boot/grub`. */
  get bootNumber(): number {
    return this.#options.bootNumber ?? this.#options.rootNumber;
  }

  get hasSeparateBoot(): boolean {
    return this.#options.bootNumber !== null;
  }

  get espNumber(): number | null {
    return this.#options.espNumber;
  }

  /** The partition behind `(hd0,gpt3)`, `hd0,gpt3`; null for other devices. */
  partition(device: string): PartitionIdentity | null {
    const number = /gpt(\d+)\)?$/.exec(device)?.[1];
    return this.partitions.find((one) => one.number === Number(number)) ?? null;
  }

  /** The regular file behind `(hd0,gpt3)/boot/x` or `/boot/x` on the device `root`; null when there is none. */
  find(path: string, root: string): FoundFile | null {
    const place = this.#place(path, root);
    if (place === null) return null;
    if (place.on === 'root') return this.#options.files.isFile(place.path) ? place : null;
    const wanted = place.path.toLowerCase();
    const spelled = [...this.#options.espFiles.keys()].find((one) => one.toLowerCase() === wanted);
    return spelled === undefined ? null : { on: 'esp', path: spelled };
  }

  isDirectory(path: string, root: string): boolean {
    const place = this.#place(path, root);
    if (place === null) return false;
    if (place.on === 'root') return this.#options.files.isDirectory(place.path);
    const below = `${place.path.toLowerCase().replace(/\/$/, '')}/`;
    return [...this.#options.espFiles.keys()].some((one) => one.toLowerCase().startsWith(below));
  }

  /** Names in a folder of the root filesystem or the ESP. */
  list(path: string, root: string): string[] {
    const place = this.#place(path, root);
    if (place === null) return [];
    if (place.on === 'root') return this.#options.files.list(place.path);
    const below = `${place.path.toLowerCase().replace(/\/$/, '')}/`;
    return [...this.#options.espFiles.keys()]
      .filter((one) => one.toLowerCase().startsWith(below))
      .map((one) => one.slice(below.length));
  }

  /** Text of a configuration file; null when it is not there. */
  readText(path: string, root: string): string | null {
    const found = this.find(path, root);
    if (found === null) return null;
    if (found.on === 'root') return this.#options.files.readText(found.path);
    return this.#options.espFiles.get(found.path) ?? null;
  }

  sizeBytes(path: string, root: string): number {
    const found = this.find(path, root);
    if (found === null) return 0;
    if (found.on === 'root') return this.#options.files.sizeBytes(found.path) ?? 0;
    return this.#options.espFiles.get(found.path)?.length ?? 1;
  }

  #place(path: string, root: string): FoundFile | null {
    const match = /^\(([^)]*)\)(.*)$/s.exec(path);
    const number = this.partition(match?.[1] ?? root)?.number;
    const local = match?.[2] ?? path;
    const { rootNumber, bootNumber, espNumber } = this.#options;
    if (number === rootNumber) return { on: 'root', path: local };
    if (number !== undefined && number === bootNumber) return { on: 'root', path: `/boot${local}` };
    if (number !== undefined && number === espNumber) return { on: 'esp', path: local };
    return null;
  }
}
