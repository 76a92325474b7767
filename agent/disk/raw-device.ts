import type { FileHandle } from 'node:fs/promises';

/** The three calls a target is made of, with the kernel's freedom to do less than asked. Tests script their faults. */
export interface RawDevice {
  /** pwrite(2): gives how many bytes were taken, which may be fewer than asked. */
  writeAt(buffer: Uint8Array, offsetBytes: number): Promise<number>;
  /** pread(2): gives how many bytes were read; 0 at the end. */
  readAt(buffer: Uint8Array, offsetBytes: number): Promise<number>;
  /** fdatasync(2) */
  sync(): Promise<void>;
}

/** The raw calls of an open file. */
export function rawDevice(handle: FileHandle): RawDevice {
  return {
    writeAt: async (buffer, offsetBytes) => (await handle.write(buffer, 0, buffer.length, offsetBytes)).bytesWritten,
    readAt: async (buffer, offsetBytes) => (await handle.read(buffer, 0, buffer.length, offsetBytes)).bytesRead,
    sync: async () => {
      await handle.datasync();
    },
  };
}
