import { createDeviceIo } from '../../agent/disk/device-io.ts';
import type { RawDevice } from '../../agent/disk/raw-device.ts';
import type { SectorBytes, Target } from '../../agent/disk/types.ts';

/**
 * What one call of the device does instead of what was asked. `nthCall` counts calls of that kind from 0; a fault without
 * it belongs to `offsetBytes` and stays, as a bad sector does.
 */
export type Fault =
  | { readonly on: 'write' | 'read'; readonly nthCall: number; readonly does: 'short'; readonly bytes: number }
  | { readonly on: 'write' | 'read' | 'sync'; readonly nthCall: number; readonly does: 'fail'; readonly errno: string }
  | { readonly on: 'write' | 'read'; readonly offsetBytes: number; readonly does: 'fail'; readonly errno: string };

export interface WriteRecord {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** A target in memory that behaves as its script says, and remembers what was done to it. */
export interface FaultyTarget extends Target {
  /** What a reader sees: everything that was written. */
  readonly contents: Buffer;
  /** What a power cut now would leave: everything up to the last sync that succeeded. */
  readonly medium: Buffer;
  /** Writes and syncs in their order. */
  readonly calls: readonly (WriteRecord | 'sync')[];
  /** The most bytes that were ever waiting to be synced. */
  readonly mostDirtyBytes: number;
}

export interface FaultyTargetOptions {
  readonly sizeBytes: number;
  readonly sectorBytes?: SectorBytes;
  readonly script?: readonly Fault[];
  /** What the disk holds at first; default a pattern that is nowhere zero. */
  readonly initial?: Buffer;
  /** How many turns of the event loop a sync takes; default 1. */
  readonly syncTurns?: number;
}

/** A disk in memory with scripted faults, behind the same read, write and flush as a real one. */
export function createFaultyTarget(options: FaultyTargetOptions): FaultyTarget {
  const { sizeBytes } = options;
  const contents = Buffer.from(options.initial ?? Buffer.alloc(sizeBytes, 'old data '));
  const medium = Buffer.from(contents);
  const calls: (WriteRecord | 'sync')[] = [];
  const state = { dirtyBytes: 0, mostDirtyBytes: 0 };
  let dirty: { readonly offsetBytes: number; readonly data: Buffer }[] = [];
  const raw = scripted(
    {
      writeAt: async (buffer, offsetBytes) => {
        calls.push({ offsetBytes, lengthBytes: buffer.length });
        contents.set(buffer, offsetBytes);
        dirty.push({ offsetBytes, data: Buffer.from(buffer) });
        state.dirtyBytes += buffer.length;
        state.mostDirtyBytes = Math.max(state.mostDirtyBytes, state.dirtyBytes);
        return buffer.length;
      },
      readAt: async (buffer, offsetBytes) => contents.copy(buffer, 0, offsetBytes, offsetBytes + buffer.length),
      sync: async () => {
        const syncing = dirty;
        dirty = [];
        for (let turn = 0; turn < (options.syncTurns ?? 1); turn += 1)
          await new Promise((resolve) => setImmediate(resolve));
        for (const { offsetBytes, data } of syncing) {
          data.copy(medium, offsetBytes);
          state.dirtyBytes -= data.length;
        }
        calls.push('sync');
      },
    },
    options.script ?? [],
  );
  return {
    path: '/dev/faulty',
    sizeBytes,
    sectorBytes: options.sectorBytes ?? 512,
    contents,
    medium,
    calls,
    get mostDirtyBytes() {
      return state.mostDirtyBytes;
    },
    ...createDeviceIo(raw, { path: '/dev/faulty', sizeBytes }),
  };
}

function scripted(raw: RawDevice, script: readonly Fault[]): RawDevice {
  const counts = { write: 0, read: 0, sync: 0 };
  const faultOf = (on: Fault['on'], range: WriteRecord): Fault | undefined => {
    const call = counts[on];
    counts[on] += 1;
    return script.find((fault) => {
      if (fault.on !== on) return false;
      if ('nthCall' in fault) return fault.nthCall === call;
      return fault.offsetBytes >= range.offsetBytes && fault.offsetBytes < range.offsetBytes + range.lengthBytes;
    });
  };
  const transfer =
    (on: 'write' | 'read', call: RawDevice['writeAt']): RawDevice['writeAt'] =>
    async (buffer, offsetBytes) => {
      const fault = faultOf(on, { offsetBytes, lengthBytes: buffer.length });
      if (fault?.does === 'short')
        return await call(buffer.subarray(0, Math.min(fault.bytes, buffer.length)), offsetBytes);
      if (fault?.does === 'fail') {
        // A bad sector takes the data before it.
        if ('offsetBytes' in fault && fault.offsetBytes > offsetBytes) {
          return await call(buffer.subarray(0, fault.offsetBytes - offsetBytes), offsetBytes);
        }
        throw systemError(fault.errno);
      }
      return await call(buffer, offsetBytes);
    };
  return {
    writeAt: transfer('write', raw.writeAt),
    readAt: transfer('read', raw.readAt),
    sync: async () => {
      const fault = faultOf('sync', { offsetBytes: 0, lengthBytes: 0 });
      if (fault?.does === 'fail') throw systemError(fault.errno);
      await raw.sync();
    },
  };
}

function systemError(errno: string): Error {
  return Object.assign(new Error(`${errno}: scripted`), { code: errno });
}
