import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { makeWorkFolder } from '../../core/base/work-folder.ts';

/** mtools refuses FAT variants that firmware takes (sector counts that do not match the geometry). */
const env = { MTOOLS_SKIP_CHECK: '1', MTOOLS_NO_VFAT: '0' };

export interface EspFile {
  /** As it is on the file system, with a leading slash: `/EFI/BOOT/BOOTX64.EFI`. */
  readonly path: string;
}

/**
 * The FAT file system of an EFI system partition, by mtools: the installer's kernel needs no vfat, and nothing is
 * mounted. `device` is a partition node, or `FILE@@OFFSET` in mtools' form. All methods throw ProvisionError
 * `tool_missing` or `tool_failed`.
 */
export class EspFiles {
  readonly device: string;
  readonly #signal: AbortSignal | undefined;

  constructor(device: string, options: { signal?: AbortSignal } = {}) {
    this.device = device;
    this.#signal = options.signal;
  }

  /** Paths of all files, at any depth. */
  async list(): Promise<string[]> {
    const listing = this.#run('mdir', ['-/', '-b', '-i', this.device, '::']);
    const { stdout } = await listing.catch((error: unknown) => {
      if (isEmptyListing(error)) return { stdout: '' };
      throw error;
    });
    return stdout
      .split('\n')
      .filter((line) => line.startsWith('::') && !line.endsWith('/'))
      .map((line) => line.slice(2));
  }

  /** The path as it is spelled on the file system, found without regard to case; null when there is none. */
  async find(path: string): Promise<string | null> {
    const wanted = path.toLowerCase();
    return (await this.list()).find((file) => file.toLowerCase() === wanted) ?? null;
  }

  async read(path: string): Promise<Buffer> {
    return await this.withCopy(path, (file) => readFileSync(file));
  }

  /** Gives `use` a temporary file that holds the contents: for what is too large to be read whole. */
  async withCopy<T>(path: string, use: (file: string) => T | Promise<T>): Promise<T> {
    const dir = makeWorkFolder('esp');
    try {
      const file = join(dir, 'file');
      await this.#run('mcopy', ['-n', '-i', this.device, `::${path}`, file]);
      return await use(file);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }

  /** Replaces the contents of a file, or makes it; its folder must exist. */
  async write(path: string, data: string | Uint8Array): Promise<void> {
    const dir = makeWorkFolder('esp');
    try {
      const file = join(dir, 'file');
      writeFileSync(file, data);
      await this.#run('mcopy', ['-o', '-i', this.device, file, `::${path}`]);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }

  async remove(path: string): Promise<void> {
    await this.#run('mdel', ['-i', this.device, `::${path}`]);
  }

  async #run(tool: string, args: readonly string[]): Promise<{ stdout: string }> {
    const signal = this.#signal === undefined ? {} : { signal: this.#signal };
    return await runCommand(tool, args, { env, timeoutMs: 60_000, ...signal });
  }
}

/** mdir says this of a file system without any file or folder, and ends with 1. */
function isEmptyListing(error: unknown): boolean {
  return error instanceof ProvisionError && String(error.facts['stderr']).endsWith('File "::" not found');
}
