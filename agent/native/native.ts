/** A path or name: text as UTF-8, bytes as they are. */
export type PathBytes = string | Uint8Array;

/** A partition as the kernel is told of it; all in bytes, multiples of the logical sector. */
export interface BlkpgPartition {
  readonly number: number;
  readonly startBytes: number;
  readonly lengthBytes: number;
}

/**
 * The addon's functions (native.c). Failures are Errors with `code` (`EIO`), `errno` and `syscall`, as Node's own.
 * None follows a symlink in the last component. A file descriptor must stay open until a promise is settled.
 */
export interface Native {
  /** `flags` as in setxattr(2): 0, XATTR_CREATE 1, XATTR_REPLACE 2. */
  lsetxattr(path: PathBytes, name: PathBytes, value: Uint8Array, flags: number): void;
  lgetxattr(path: PathBytes, name: PathBytes): Buffer;
  /** Names as latin1 strings; one that is not ASCII goes back as `Buffer.from(name, 'latin1')`. */
  llistxattr(path: PathBytes): string[];
  lremovexattr(path: PathBytes, name: PathBytes): void;
  /** `mode` with the file type's bits (S_IFCHR 0o020000, S_IFBLK 0o060000, S_IFIFO 0o010000). */
  mknod(path: PathBytes, mode: number, major: number, minor: number): void;
  /** Times as seconds since 1970 (may be negative) and nanoseconds 0…999,999,999. */
  lutimes(path: PathBytes, atimeSec: number, atimeNsec: number, mtimeSec: number, mtimeNsec: number): void;
  /** `operation`: `flockOperations`, combined with `|`. EAGAIN when `nonBlocking` and somebody holds it. */
  flock(fd: number, operation: number): void;
  /**
   * One datagram to an AF_UNIX socket: `/path`, or `@name` in the abstract namespace. Never waits: EAGAIN when the
   * receiver's queue is full.
   */
  unixDatagramSend(address: PathBytes, data: Uint8Array): void;
  blkpgAdd(fd: number, partition: BlkpgPartition): void;
  blkpgResize(fd: number, partition: BlkpgPartition): void;
  blkpgDelete(fd: number, number: number): void;
  blkRereadTable(fd: number): void;
  blkDiscard(fd: number, offsetBytes: number, lengthBytes: number): Promise<void>;
  blkZeroout(fd: number, offsetBytes: number, lengthBytes: number): Promise<void>;
  blkFlushBuffers(fd: number): Promise<void>;
  syncfs(fd: number): Promise<void>;
  /** `flags`: `syncFileRangeFlags`, combined with `|`. */
  syncFileRange(fd: number, offsetBytes: number, lengthBytes: number, flags: number): Promise<void>;

  /**
   * kexec_file_load(2): `initrdFd` -1 for none; the command line without NUL; `flags` KEXEC_FILE_UNLOAD 1, KEXEC_FILE_NO_INITRAMFS 4.
   */
  kexecFileLoad(kernelFd: number, initrdFd: number, commandLine: Buffer, flags: number): Promise<void>;

  /** A table of open folders for programs of `agent/layer`; `keptXattrs`: names that each end with NUL. */
  layerOpen(keptXattrs: Uint8Array): NativeLayer;
  /** Puts a descriptor into a slot (0…8703); the layer owns it from now on. -1 empties the slot. */
  layerSetDirectory(layer: NativeLayer, slot: number, fd: number): void;
  /** The descriptor in a slot, still the layer's; -1 when empty. */
  layerDirectory(layer: NativeLayer, slot: number): number;
  /**
   * Runs the records from `startOffset` on, on a thread of the pool, in order. Rejects with a `LayerRunError` at the
   * first that fails: those before it are done, those after it are not begun. One run at a time.
   */
  layerRun(
    layer: NativeLayer,
    program: Uint8Array,
    startOffset: number,
    chunks: readonly Uint8Array[],
  ): Promise<{ readonly unsupportedXattrs: number }>;
  /** The running program, and every later one, stops before its next record with ECANCELED. */
  layerCancel(layer: NativeLayer): void;
  /** Closes every descriptor; throws EBUSY while a program runs. */
  layerClose(layer: NativeLayer): void;
}

declare const layerBrand: unique symbol;

/** What `layerOpen` gives; nothing can be done with it here. */
export interface NativeLayer {
  readonly [layerBrand]: true;
}

/** Why a program stopped; `offset` is that of the record. */
export interface LayerRunError extends Error {
  readonly code: string;
  readonly syscall: string;
  readonly offset: number;
  readonly unsupportedXattrs: number;
}

/** flock(2) */
export const flockOperations = { shared: 1, exclusive: 2, nonBlocking: 4, unlock: 8 } as const;

/** sync_file_range(2) */
export const syncFileRangeFlags = { waitBefore: 1, write: 2, waitAfter: 4 } as const;
