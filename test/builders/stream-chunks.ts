import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** The bytes cut into chunks of the given sizes, again and again from the first size. */
export function cut(bytes: Uint8Array, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const size = Math.max(1, sizes[index % sizes.length] ?? bytes.length);
    chunks.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return chunks;
}

/** Everything that comes out when the chunks are sent through. */
export async function sendThrough(
  chunks: readonly Buffer[],
  stages: readonly NodeJS.ReadWriteStream[],
): Promise<Buffer[]> {
  const out: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      out.push(chunk);
      done();
    },
  });
  await pipeline([Readable.from(chunks, { objectMode: false }), ...stages, sink]);
  return out;
}
