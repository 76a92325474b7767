import type { ErrorCode } from '../../core/base/error-codes.ts';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';

/** What was being done when the device failed; `operation` completes the sentence "… failed". */
export interface DeviceOperation {
  readonly operation: 'writing' | 'reading' | 'flushing' | 'discarding' | 'zeroing';
  readonly path: string;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

const codeOfErrno: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'device_full',
  EDQUOT: 'device_full',
  ENODEV: 'device_vanished',
  ENXIO: 'device_vanished',
  ENOMEDIUM: 'device_vanished',
  ESHUTDOWN: 'device_vanished',
  EACCES: 'permission',
  EPERM: 'permission',
  EROFS: 'permission',
};

/** A failed system call on a device as a typed error with the offset in its facts. A ProvisionError passes as it is. */
export function deviceError(cause: unknown, what: DeviceOperation): ProvisionError {
  if (cause instanceof ProvisionError) return cause;
  const errno = errnoOf(cause);
  const code = (errno === undefined ? undefined : codeOfErrno[errno]) ?? 'device_io';
  const where = `at byte ${what.offsetBytes} of ${what.path}`;
  const sentences: Partial<Record<ErrorCode, string>> = {
    device_full: `${what.path} took no more data ${where}`,
    device_vanished: `${what.path} disappeared while ${what.operation} ${what.lengthBytes} bytes ${where}`,
    permission: `${what.operation} ${where} is not permitted`,
  };
  return new ProvisionError(code, sentences[code] ?? `${what.operation} ${what.lengthBytes} bytes ${where} failed`, {
    cause,
    facts: {
      device: what.path,
      operation: what.operation,
      offset_bytes: what.offsetBytes,
      length_bytes: what.lengthBytes,
      ...(errno === undefined ? {} : { errno }),
    },
  });
}
