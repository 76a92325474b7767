import { statfsSync } from 'node:fs';
import { abortError } from '../../core/base/abort.ts';
import type { ErrorCode } from '../../core/base/error-codes.ts';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { displayName } from './tar-entry.ts';

/** What every error of a layer names. */
export interface LayerContext {
  /** `layer 3 (sha256:abcd…)` */
  readonly label: string;
  readonly root: string;
  readonly signal: AbortSignal;
}

const codeOfErrno: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'root_full',
  EDQUOT: 'root_full',
  EIO: 'device_io',
  EREMOTEIO: 'device_io',
  ENXIO: 'device_io',
  ENODEV: 'device_io',
  EROFS: 'device_io',
  EUCLEAN: 'device_io',
  EBADMSG: 'device_io',
  ESHUTDOWN: 'device_io',
  ENOMEDIUM: 'device_io',
  ETIMEDOUT: 'device_io',
  EMFILE: 'memory_insufficient',
  ENFILE: 'memory_insufficient',
  ENOMEM: 'memory_insufficient',
  EACCES: 'permission',
  EPERM: 'permission',
  EBUSY: 'disk_busy',
};

/** Calls whose EPERM says that the entry asks for something impossible: a link to a folder, `user.*` on a symlink. */
const callsThatRefuseEntries: ReadonlySet<string> = new Set(['linkat', 'setxattr']);

/**
 * A failed system call while an entry was extracted, as an error that names layer and entry.
 * @returns root_full, device_io, memory_insufficient, permission, aborted, invariant or layer_entry_invalid.
 */
export function layerError(cause: unknown, context: LayerContext, archiveName: string): ProvisionError {
  if (cause instanceof ProvisionError) return cause;
  const entryLabel = displayName(archiveName);
  const errno = errnoOf(cause);
  if (errno === undefined) return new ProvisionError('invariant', `extracting ${context.label} failed`, { cause });
  if (errno === 'ECANCELED') return abortError(context.signal);
  const syscall = syscallOf(cause);
  const code = codeOf(errno, syscall, context.root);
  const facts = { layer: context.label, entry: entryLabel, errno, syscall };
  return new ProvisionError(code, `${context.label}: ${sentenceOf(code, syscall, entryLabel)}`, { cause, facts });
}

/** An entry that asks for what cannot or must not be done. */
export function entryError(context: LayerContext, archiveName: string, why: string): ProvisionError {
  const entryLabel = displayName(archiveName);
  return new ProvisionError('layer_entry_invalid', `${context.label}: the entry ${entryLabel} is refused: ${why}`, {
    facts: { layer: context.label, entry: entryLabel },
  });
}

/** A tar stream that is no tar from `offsetBytes` on, or that ends too early. */
export function streamError(
  context: LayerContext,
  cause: Error,
  where: { readonly offsetBytes: number; readonly lastName: string | null; readonly isEnd: boolean },
): ProvisionError {
  const entry = where.lastName === null ? null : displayName(where.lastName);
  const after = entry === null ? '' : `, after the entry ${entry}`;
  const what = where.isEnd ? 'ends too early' : 'is not a valid tar archive';
  const message = `${context.label} ${what} at byte ${where.offsetBytes}${after}`;
  const facts = { layer: context.label, entry, offset_bytes: where.offsetBytes };
  return new ProvisionError(where.isEnd ? 'stream_truncated' : 'stream_corrupt', message, { cause, facts });
}

function codeOf(errno: string, syscall: string, root: string): ErrorCode {
  if (syscall === 'layer program') return 'invariant';
  if (errno === 'EPERM' && callsThatRefuseEntries.has(syscall)) return 'layer_entry_invalid';
  // ext4 says ENOSPC too when an attribute does not fit beside the inode, however empty the disk is.
  if (errno === 'ENOSPC' && syscall === 'setxattr' && hasFreeSpace(root)) return 'layer_entry_invalid';
  return codeOfErrno[errno] ?? 'layer_entry_invalid';
}

function sentenceOf(code: ErrorCode, syscall: string, entryLabel: string): string {
  if (code === 'root_full') return `the root filesystem is full at the entry ${entryLabel}`;
  if (code === 'device_io') return `the root filesystem failed at the entry ${entryLabel}`;
  if (syscall === 'linkat') return `the hard link ${entryLabel} cannot be made`;
  return `the entry ${entryLabel} cannot be extracted`;
}

function hasFreeSpace(root: string): boolean {
  try {
    const { bavail, ffree } = statfsSync(root);
    return bavail > 16 && ffree > 0;
  } catch {
    return false;
  }
}

function syscallOf(cause: unknown): string {
  if (typeof cause !== 'object' || cause === null || !('syscall' in cause)) return 'unknown';
  return typeof cause.syscall === 'string' ? cause.syscall : 'unknown';
}
