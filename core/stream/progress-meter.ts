import { Transform } from 'node:stream';

/** A pass-through that tells how many bytes have passed in all, after each chunk. */
export function createProgressMeter(onBytes: (totalBytes: number) => void): Transform {
  let totalBytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      totalBytes += chunk.length;
      onBytes(totalBytes);
      done(null, chunk);
    },
  });
}
