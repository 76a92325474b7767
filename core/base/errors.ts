import { type ErrorCode, type ErrorKind, errorCodes, exitCodeOfKind } from './error-codes.ts';

/**
 * What can be on the target disk after a failure: `untouched` = not one byte was changed, `erased` = the old
 * contents are no longer reachable, `partial` = parts of the new system are there but nothing boots,
 * `complete` = the new system boots.
 */
export type DiskState = 'untouched' | 'erased' | 'partial' | 'complete';

/** Facts of an error: names with units, values that JSON can hold. Never a secret. */
export type ErrorFacts = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

export interface ProvisionErrorOptions {
  readonly cause?: unknown;
  readonly facts?: ErrorFacts;
  readonly diskState?: DiskState;
  /** Overrides what the kind says about trying again. */
  readonly retryable?: boolean;
}

/**
 * The one error class of the program. The kind (from the code's row in `errorCodes`) decides behaviour, the code
 * names the event, the message is one sentence for a person and never repeats the cause.
 */
export class ProvisionError extends Error {
  readonly code: ErrorCode;
  readonly kind: ErrorKind;
  readonly facts: ErrorFacts;
  readonly retryable: boolean;
  diskState: DiskState | undefined;
  /** Set once the error was shown to the person, so that the edge does not show it again. */
  reported = false;

  constructor(code: ErrorCode, message: string, options: ProvisionErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ProvisionError';
    this.code = code;
    this.kind = errorCodes[code];
    this.facts = options.facts ?? {};
    this.retryable = options.retryable ?? this.kind === 'transient';
    this.diskState = options.diskState;
  }
}

/** Exit code for any thrown value: the kind's code, 70 for what is not a ProvisionError. */
export function exitCodeOf(error: unknown): number {
  return error instanceof ProvisionError ? exitCodeOfKind[error.kind] : exitCodeOfKind.bug;
}

/** `error.code` of a Node system error (`EIO`, `ENOSPC`, …), or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The thrown value as a ProvisionError; anything that is not one becomes a `bug` with the value as its cause. */
export function asProvisionError(error: unknown): ProvisionError {
  if (error instanceof ProvisionError) return error;
  return new ProvisionError('invariant', 'an unexpected error, which is a defect of durantic', { cause: error });
}
