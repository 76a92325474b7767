import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { type DeviceOperation, deviceError } from './device-error.ts';
import type { RawDevice } from './raw-device.ts';
import type { Target } from './types.ts';

/** How often one call may come back with EINTR or EAGAIN, or without a byte, before it counts as failed. */
const fruitlessCalls = 8;

/**
 * `Target`'s read, write and flush over raw calls: finishes short writes and reads, and turns what fails into typed
 * errors with the offset. After a failed write or flush every further flush fails with the same error: Linux reports
 * a write-back error only once, and an fdatasync that is tried again would claim success (fsync(2), NOTES).
 */
export function createDeviceIo(
  raw: RawDevice,
  device: { readonly path: string; readonly sizeBytes: number },
): Pick<Target, 'write' | 'read' | 'flush'> {
  let failed: ProvisionError | undefined;
  const dirty = { from: Number.POSITIVE_INFINITY, to: 0 };

  const fail = (error: ProvisionError): never => {
    failed ??= error;
    throw error;
  };

  const write = async (buffer: Uint8Array, offsetBytes: number): Promise<void> => {
    refuseOutside(device, 'writing', offsetBytes, buffer.length);
    dirty.from = Math.min(dirty.from, offsetBytes);
    dirty.to = Math.max(dirty.to, offsetBytes + buffer.length);
    try {
      await transfer(buffer, offsetBytes, { call: raw.writeAt.bind(raw), path: device.path, operation: 'writing' });
    } catch (error) {
      fail(error as ProvisionError);
    }
  };

  const read = async (offsetBytes: number, lengthBytes: number): Promise<Buffer> => {
    refuseOutside(device, 'reading', offsetBytes, lengthBytes);
    const buffer = Buffer.allocUnsafe(lengthBytes);
    await transfer(buffer, offsetBytes, { call: raw.readAt.bind(raw), path: device.path, operation: 'reading' });
    return buffer;
  };

  const flush = async (): Promise<void> => {
    if (failed) throw failed;
    const range = { ...dirty };
    dirty.from = Number.POSITIVE_INFINITY;
    dirty.to = 0;
    try {
      await raw.sync();
    } catch (cause) {
      const offsetBytes = Number.isFinite(range.from) ? range.from : 0;
      const lengthBytes = Math.max(0, range.to - offsetBytes);
      fail(deviceError(cause, { operation: 'flushing', path: device.path, offsetBytes, lengthBytes }));
    }
    if (failed) throw failed;
  };

  return { write, read, flush };
}

interface Transfer {
  readonly call: (buffer: Uint8Array, offsetBytes: number) => Promise<number>;
  readonly path: string;
  readonly operation: 'writing' | 'reading';
}

async function transfer(buffer: Uint8Array, offsetBytes: number, how: Transfer): Promise<void> {
  let done = 0;
  let fruitless = 0;
  while (done < buffer.length) {
    const at: DeviceOperation = { ...how, offsetBytes: offsetBytes + done, lengthBytes: buffer.length - done };
    const count = await attempt(() => how.call(buffer.subarray(done), at.offsetBytes), at);
    if (count > 0) fruitless = 0;
    else fruitless += 1;
    if (fruitless >= fruitlessCalls) throw shortTransfer(at, done);
    done += count;
  }
}

/** Gives 0 where the call was interrupted, so that the caller's count of fruitless calls bounds that too. */
async function attempt(call: () => Promise<number>, at: DeviceOperation): Promise<number> {
  try {
    return await call();
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'EINTR' || errno === 'EAGAIN') return 0;
    throw deviceError(cause, at);
  }
}

function shortTransfer(at: DeviceOperation, doneBytes: number): ProvisionError {
  const took = at.operation === 'writing' ? 'took' : 'gave';
  return new ProvisionError(
    'device_short_write',
    `${at.path} ${took} ${doneBytes} of ${doneBytes + at.lengthBytes} bytes and no more at byte ${at.offsetBytes}`,
    {
      facts: {
        device: at.path,
        operation: at.operation,
        offset_bytes: at.offsetBytes,
        length_bytes: at.lengthBytes,
        done_bytes: doneBytes,
      },
    },
  );
}

function refuseOutside(
  device: { readonly path: string; readonly sizeBytes: number },
  operation: 'writing' | 'reading',
  offsetBytes: number,
  lengthBytes: number,
): void {
  if (offsetBytes >= 0 && offsetBytes + lengthBytes <= device.sizeBytes) return;
  throw new ProvisionError(
    'device_full',
    `${operation} ${lengthBytes} bytes at byte ${offsetBytes} goes past the end of ${device.path} (${device.sizeBytes} bytes)`,
    { facts: { device: device.path, operation, offset_bytes: offsetBytes, length_bytes: lengthBytes } },
  );
}
