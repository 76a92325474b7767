import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../../core/base/describe-error.ts';
import type { Logger } from '../../core/base/logger.ts';
import { espByPartUuid } from './esp-folder.ts';
import { forgetBootNext } from './firmware-entries.ts';
import { unloadInstaller } from './kexec-installer.ts';
import { removeGrubOnce } from './one-shot-grub.ts';
import { removeUefiOnce } from './one-shot-uefi.ts';
import { type ReentryRecord, readReentryRecord, removeReentryRecord } from './reentry-record.ts';

export interface TakeBackOptions {
  readonly stateDir: string;
  readonly runDir: string;
  readonly log: Logger;
  /** Injectable for tests. */
  readonly unload?: () => Promise<void>;
}

const timeoutMs = 120_000;

/**
 * Takes away whatever an attempt to enter the installer has placed, the carried state first, and gives the record of it;
 * null when there was none. What cannot be taken away is logged, and tried again at the next start.
 */
export async function takeBackReentry(options: TakeBackOptions): Promise<ReentryRecord | null> {
  const { stateDir, runDir, log } = options;
  const record = readReentryRecord(stateDir);
  if (record === null) return null;
  const failures: string[] = [];
  const attempt = async (undo: () => Promise<void>): Promise<void> => {
    try {
      await undo();
    } catch (error) {
      failures.push(describeError(error));
    }
  };
  rmSync(join(runDir, 'carried.img'), { force: true });
  const { grubDir, espPartUuid } = record.placed;
  if (grubDir !== null) await attempt(async () => await removeGrubOnce(grubDir));
  if (espPartUuid !== null) {
    await attempt(async () => {
      const esp = await espByPartUuid(espPartUuid);
      // Not there: another disk, or an installation that has made it anew.
      if (esp !== null) await removeUefiOnce(esp.device, { runDir, signal: AbortSignal.timeout(timeoutMs) });
    });
  }
  if (record.way === 'network' && !record.has_left) {
    await attempt(async () => await forgetBootNext(AbortSignal.timeout(timeoutMs)));
  }
  if (record.way === 'kexec') await attempt(options.unload ?? (async () => await unloadInstaller()));
  if (failures.length === 0) removeReentryRecord(stateDir);
  else
    log.warn(
      { reasons: failures },
      'what was prepared to enter the installer could not be taken away; it is tried again',
    );
  return record;
}
