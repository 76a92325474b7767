import { ProvisionError } from '../base/errors.ts';

/** libzstd decodes no larger window than this on 64-bit machines (ZSTD_WINDOWLOG_MAX_64 = 31). */
export const largestZstdWindowBytes = 2 ** 31;

/**
 * Checks the memory that a zstd stream asks for (`windowBytes` of its frame header) against what may be used.
 * @throws ProvisionError `memory_insufficient` (facts: window_bytes, max_window_bytes), `codec_unsupported` above 2 GiB.
 */
export function assertZstdWindowAllowed(windowBytes: number, maxWindowBytes: number, label: string): void {
  const facts = { window_bytes: windowBytes, max_window_bytes: maxWindowBytes };
  if (windowBytes > largestZstdWindowBytes) {
    throw new ProvisionError(
      'codec_unsupported',
      `${label} declares a zstd window of ${mebibytes(windowBytes)}, more than the 2048 MiB that libzstd can decode`,
      { facts },
    );
  }
  if (windowBytes > maxWindowBytes) {
    throw new ProvisionError(
      'memory_insufficient',
      `${label} needs a zstd window of ${mebibytes(windowBytes)} in memory, of which ${mebibytes(maxWindowBytes)} may be used`,
      { facts },
    );
  }
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
