import { open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import { makeWorkFolder } from '../../core/base/work-folder.ts';
import { attachLoop, detachLoop } from './loop-device.ts';
import type { DiskContext, SectorBytes } from './types.ts';

/** A sparse stand-in for a disk. */
export interface ShadowFile extends AsyncDisposable {
  /** The file itself. */
  readonly file: string;
  /** What programs are given: the file, or the loop device that gives it sectors of 4096 bytes. */
  readonly path: string;
}

const tmpfsMagic = 0x01021994;
const ramfsMagic = 0x858458f6;

export interface ShadowOptions {
  readonly sizeBytes: number;
  readonly sectorBytes: SectorBytes;
  /** The first bytes of the disk it stands for. */
  readonly head: Buffer;
}

/**
 * Makes a sparse file of a disk's size with the disk's head, in memory where there is a tmpfs (its files can be larger
 * than an ext4's 16 TiB, and nothing is written to any disk). sgdisk takes every file for 512-byte sectors, so for 4096
 * it is attached to a loop device.
 */
export async function makeShadowFile(options: ShadowOptions, ctx: DiskContext): Promise<ShadowFile> {
  const folder = makeWorkFolder('shadow', await memoryFolder());
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const file = join(folder, 'disk');
    await writeSparse(file, options);
    if (options.sectorBytes === 512) return { file, path: file, [Symbol.asyncDispose]: remove };
    const path = await attachLoop(file, options.sectorBytes, ctx);
    const detach = async (): Promise<void> => {
      try {
        await detachLoop(path, ctx);
      } finally {
        await remove();
      }
    };
    return { file, path, [Symbol.asyncDispose]: detach };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function writeSparse(file: string, options: ShadowOptions): Promise<void> {
  await using handle = await open(file, 'wx', 0o600);
  try {
    await handle.truncate(options.sizeBytes);
    await handle.writeFile(options.head);
  } catch (cause) {
    const message = `no sparse file of ${options.sizeBytes} bytes can be made at ${file}`;
    throw new ProvisionError('kernel_feature_missing', message, { cause, facts: { size_bytes: options.sizeBytes } });
  }
}

/** A folder in memory, else the one for temporary files. */
export async function memoryFolder(): Promise<string> {
  for (const folder of ['/dev/shm', '/run']) {
    const type = await statfs(folder).then(
      (stats) => stats.type,
      () => 0,
    );
    if (type === tmpfsMagic || type === ramfsMagic) return folder;
  }
  return tmpdir();
}
