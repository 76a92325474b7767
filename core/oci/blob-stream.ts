import { Readable } from 'node:stream';
import { asProvisionError } from '../base/errors.ts';
import { BlobDownload, type BlobDownloadOptions } from './blob-download.ts';

const bufferBytes = 256 * 1024;

/**
 * A download as a Readable: reads only when asked to, so that memory stays constant, and ends the connection when it
 * is destroyed.
 */
export function createBlobStream(options: BlobDownloadOptions): Readable {
  const controller = new AbortController();
  const signal = AbortSignal.any([options.signal, controller.signal]);
  const bytes = new BlobDownload({ ...options, signal }).bytes();
  return new Readable({
    highWaterMark: bufferBytes,
    async read() {
      try {
        const { value, done } = await bytes.next();
        this.push(done ? null : value);
      } catch (error) {
        this.destroy(asProvisionError(error));
      }
    },
    destroy(error, done) {
      controller.abort();
      // The generator ends its connection; what it then throws is of no interest any more.
      bytes.return(undefined).then(
        () => done(error),
        () => done(error),
      );
    },
  });
}
