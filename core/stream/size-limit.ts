import { Transform } from 'node:stream';
import { ProvisionError } from '../base/errors.ts';

/**
 * A pass-through that fails with `size_mismatch` as soon as more than `maxBytes` arrive; the bytes that would pass
 * the limit are not handed on.
 */
export function createSizeLimit(maxBytes: number, label: string): Transform {
  let seenBytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seenBytes += chunk.length;
      if (seenBytes <= maxBytes) return done(null, chunk);
      done(
        new ProvisionError('size_mismatch', `${label} is longer than the ${maxBytes} bytes that it may have`, {
          facts: { limit_bytes: maxBytes },
        }),
      );
    },
  });
}
