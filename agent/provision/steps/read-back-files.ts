import { createReadStream, createWriteStream, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ProvisionError } from '../../../core/base/errors.ts';
import { makeWorkFolder } from '../../../core/base/work-folder.ts';
import { sectorsRead } from '../../disk/device-reads.ts';
import { assertReadsReachedDevice } from '../../disk/read-back.ts';
import { native } from '../../native/load-native.ts';
import { type ListedFile, listTree } from '../../rootfs/tree-list.ts';
import type { StepContext } from '../types.ts';
import { type MountRootOptions, mountRoot } from './mount-root.ts';

/**
 * How much of the files' data the device must have delivered. A cache, which is what is looked for, leaves next to nothing
 * to the device; a filesystem that compresses (a /boot on btrfs) asks it for less than the data.
 */
const leastShareOfData = 0.5;

/** What every file of the new root holds, noted before it is unmounted: one line a file, in a temporary file. */
export interface FileNotes extends Disposable {
  readonly file: string;
}

/** Notes the digest of every file of the mounted root. */
export async function noteFiles(ctx: StepContext, root: string): Promise<FileNotes> {
  const dir = makeWorkFolder('notes');
  const dispose = (): void => rmSync(dir, { recursive: true, force: true });
  const file = join(dir, 'files');
  async function* lines(): AsyncGenerator<string> {
    for await (const listed of listTree(root, ctx.signal)) yield `${toLine(listed)}\n`;
  }
  try {
    await pipeline(Readable.from(lines()), createWriteStream(file), { signal: ctx.signal });
  } catch (error) {
    dispose();
    throw error;
  }
  return { file, [Symbol.dispose]: dispose };
}

/**
 * Mounts the unmounted root once more, read-only, and compares every file with its note. The caches of its devices are
 * dropped before, and the disk's counter shows that the reads reached it.
 * @throws ProvisionError `read_back_mismatch` naming the file; `kernel_feature_missing`; `device_io`.
 */
export async function compareFiles(
  ctx: StepContext,
  notes: FileNotes,
  { mount, disk }: { mount: MountRootOptions; disk: string },
): Promise<void> {
  for (const device of [mount.rootDevice, ...(mount.boot === null ? [] : [mount.boot.device])]) {
    await using handle = await open(device, 'r');
    await native.blkFlushBuffers(handle.fd);
  }
  const before = sectorsRead(disk);
  await using root = await mountRoot({ ...mount, readOnly: true });
  const expected = createInterface({ input: createReadStream(notes.file, 'utf8') })[Symbol.asyncIterator]();
  let dataBytes = 0;
  for await (const found of listTree(root.path, ctx.signal)) {
    const wanted = await expected.next();
    if (wanted.done === true || wanted.value !== toLine(found)) throw mismatch(found.path);
    dataBytes += found.ownDeviceBytes;
  }
  const missing = await expected.next();
  if (missing.done !== true) throw mismatch(JSON.parse(missing.value as string)[2] as string);
  assertReadsReachedDevice(disk, (sectorsRead(disk) - before) * 512, Math.floor(dataBytes * leastShareOfData));
}

function toLine(file: ListedFile): string {
  return JSON.stringify([file.sizeBytes, file.sha256, file.path]);
}

function mismatch(path: string): ProvisionError {
  return new ProvisionError(
    'read_back_mismatch',
    `the disk gives back other contents of ${path} than were written; the disk or its controller is broken`,
    {
      facts: { path },
    },
  );
}
