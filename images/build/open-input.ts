import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { streamCommand } from '../../core/base/stream-command.ts';
import { sniffBytes, sniffCodec } from '../../core/stream/sniff-codec.ts';
import type { Codec } from '../../core/stream/types.ts';

/** What a layer is made from, before it is compressed. */
export interface Input {
  readonly codec: Codec;
  /** May be read once. */
  readonly stream: Readable;
}

const chunkBytes = 512 * 1024;

/**
 * Everything that a file system can hold travels: owners by number, nanoseconds, extended attributes and file
 * capabilities (ACLs too as attributes, which is how umoci and containerd read them), hard links, devices, holes.
 * Sorted, without the times of access and inode change, and with the one sparse format that does not name tar's process
 * id: the same tree gives the same bytes.
 */
const tarArguments = [
  ...['--create', '--format=posix', '--sort=name', '--numeric-owner', '--acls'],
  ...['--xattrs', '--xattrs-include=*', '--sparse', '--sparse-version=0.0'],
  '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
];

/**
 * Opens a folder (as a tar of it) or a file.
 * @param clampMtime seconds since 1970: later times become this one (SOURCE_DATE_EPOCH), null for no change.
 * @throws ProvisionError `image_build_failed` when the path cannot be read; the stream `tool_failed`, `tool_missing`.
 */
export async function openInput(
  path: string,
  options: { clampMtime: number | null; signal: AbortSignal },
): Promise<Input> {
  if ((await statOf(path)).isDirectory()) {
    const clamp = options.clampMtime === null ? [] : [`--mtime=@${options.clampMtime}`, '--clamp-mtime'];
    const args = [...tarArguments, ...clamp, '-C', path, '-f', '-', '.'];
    return { codec: 'none', stream: streamCommand('tar', args, { signal: options.signal }) };
  }
  return await openFileInput(path);
}

/**
 * Opens a file and recognises its compression.
 * @throws ProvisionError `image_build_failed`.
 */
export async function openFileInput(path: string): Promise<Input> {
  if ((await statOf(path)).isDirectory()) {
    throw new ProvisionError('image_build_failed', `${path} is a folder where a file is needed`);
  }
  await using file = await open(path, 'r');
  const head = Buffer.alloc(sniffBytes);
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  return {
    codec: sniffCodec(head.subarray(0, bytesRead)).codec,
    stream: createReadStream(path, { highWaterMark: chunkBytes }),
  };
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (cause) {
    const why = errnoOf(cause) === 'ENOENT' ? 'does not exist' : 'cannot be read';
    throw new ProvisionError('image_build_failed', `${path} ${why}`, { cause });
  }
}
