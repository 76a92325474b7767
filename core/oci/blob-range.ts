import { ProvisionError } from '../base/errors.ts';
import type { Descriptor } from './types.ts';

/** First byte wanted and the first byte no longer wanted. */
export interface BlobRange {
  readonly startBytes: number;
  readonly endBytes: number;
}

/**
 * The part of a blob that was asked for; what lies past its end is an error of the caller.
 * @throws ProvisionError `invariant`.
 */
export function blobRange(descriptor: Descriptor, wanted: { offsetBytes?: number; lengthBytes?: number }): BlobRange {
  const startBytes = wanted.offsetBytes ?? 0;
  const endBytes = wanted.lengthBytes === undefined ? descriptor.sizeBytes : startBytes + wanted.lengthBytes;
  const isInside =
    Number.isSafeInteger(startBytes) && startBytes >= 0 && startBytes <= endBytes && endBytes <= descriptor.sizeBytes;
  if (isInside && Number.isSafeInteger(endBytes)) return { startBytes, endBytes };
  throw new ProvisionError(
    'invariant',
    `bytes ${startBytes} to ${endBytes} of a blob of ${descriptor.sizeBytes} bytes were asked for`,
  );
}
