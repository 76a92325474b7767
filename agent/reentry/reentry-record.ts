import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ProvisionError } from '../../core/base/errors.ts';
import { readJsonFile } from '../identity/read-json-file.ts';
import { syncFolder, writePrivateFile } from '../identity/write-private-file.ts';

const recordSchema = z.object({
  command_uuid: z.uuid(),
  way: z.enum(['kexec', 'firmware', 'grub', 'network']),
  /** What was done, for the reason of a command that failed. */
  said: z.string(),
  /** The machine was told to go down. */
  has_left: z.boolean(),
  placed: z.object({ grubDir: z.string().nullable(), espPartUuid: z.string().nullable() }),
});

/** `reentry.json`: what was prepared to enter the installer; there is none when nothing is to be taken away. */
export type ReentryRecord = z.infer<typeof recordSchema>;

const fileName = 'reentry.json';

/** @throws ProvisionError `permission`. */
export function writeReentryRecord(stateDir: string, record: ReentryRecord): void {
  writePrivateFile(join(stateDir, fileName), `${JSON.stringify(record)}\n`);
}

/** Null where there is none, or none that can be read: then its places are not known either. */
export function readReentryRecord(stateDir: string): ReentryRecord | null {
  try {
    return readJsonFile(join(stateDir, fileName), recordSchema);
  } catch (error) {
    if (error instanceof ProvisionError) return null;
    throw error;
  }
}

export function removeReentryRecord(stateDir: string): void {
  rmSync(join(stateDir, fileName), { force: true });
  syncFolder(stateDir);
}
