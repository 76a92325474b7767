import { streamCommand } from '../../core/base/stream-command.ts';

export interface ReadDeviceOptions {
  readonly device: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  /** A disk that does not answer is given up after this; default 5 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const blockBytes = 2048;

/**
 * Bytes of a device, fewer at its end; null when it does not give them, or not in time. A program reads them, because a
 * read of a dying disk can hang for minutes, and a handful of those would stop every other file operation of this process
 * (libuv has four threads for them all).
 */
export async function readDevice(options: ReadDeviceOptions): Promise<Buffer | null> {
  const { device, offsetBytes, lengthBytes } = options;
  const skipped = Math.floor(offsetBytes / blockBytes);
  const before = offsetBytes - skipped * blockBytes;
  const count = Math.ceil((before + lengthBytes) / blockBytes);
  const args = [`if=${device}`, `bs=${blockBytes}`, `skip=${skipped}`, `count=${count}`];
  const output = streamCommand('dd', args, options.signal === undefined ? {} : { signal: options.signal });
  const chunks: Buffer[] = [];
  const reading = (async () => {
    for await (const chunk of output) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).subarray(before, before + lengthBytes);
  })().catch(() => null);
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), options.timeoutMs ?? 5000);
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
    // Ends the program, as far as that is possible; nobody waits for one that hangs in the kernel.
    output.destroy();
  }
}
