import { describeError } from '../../core/base/describe-error.ts';
import type { Logger } from '../../core/base/logger.ts';
import type { CachedInstaller } from './fetch-installer.ts';

/** What a single start of the installer is made of. */
export interface OneShotFiles {
  readonly installer: CachedInstaller;
  /** The carried state as an initrd. */
  readonly initrd: Uint8Array;
  readonly commandLine: string;
}

export interface OneShotContext {
  /** `/run/durantic` */
  readonly runDir: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Notes on the medium what is about to be placed, so that it is taken away again whatever happens next. */
  readonly note: (placed: Placed) => void;
}

/** What was placed for the one start, to be taken away again. */
export interface Placed {
  /** Folder with grub.cfg, our files in it; null: none. */
  readonly grubDir: string | null;
  /** PARTUUID of the EFI system partition with our folder; null: none. */
  readonly espPartUuid: string | null;
}

export const nothingPlaced: Placed = { grubDir: null, espPartUuid: null };

/** Where the next start was sent, and a sentence on it for the command's reason. */
export interface OneShotPlan {
  readonly said: string;
}

/** Undoes after a failure, which is what is thrown: what cannot be undone now is, by what was noted, later. */
export async function takingBack(log: Logger, undo: () => Promise<void>): Promise<void> {
  try {
    await undo();
  } catch (error) {
    log.warn({ reason: describeError(error) }, 'what was prepared to enter the installer could not be taken away');
  }
}
