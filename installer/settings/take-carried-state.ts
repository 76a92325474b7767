import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { type LedgerState, ledgerSchema } from '../../agent/commands/command-ledger.ts';
import { type MachineIdentity, machineIdentitySchema } from '../../agent/identity/read-identity.ts';
import { readJsonFile } from '../../agent/identity/read-json-file.ts';
import { ProvisionError } from '../../core/base/errors.ts';

/** What the system before has handed over (protocol.md, "Carrying state into the installer"). */
export interface CarriedState {
  readonly identity: MachineIdentity | null;
  readonly commands: LedgerState | null;
  /** One sentence for each file that could not be used. */
  readonly problems: readonly string[];
}

/**
 * Reads what an old system has carried into the installer's memory, and deletes it before anything else happens, whether
 * it could be read or not: the key must not lie around in two places.
 */
export function takeCarriedState(folder: string): CarriedState {
  const problems: string[] = [];
  const read = <T>(name: string, schema: z.ZodType<T>): T | null => {
    try {
      return readJsonFile(join(folder, name), schema);
    } catch (error) {
      if (!(error instanceof ProvisionError)) throw error;
      problems.push(`what the old system handed over cannot be used: ${error.message}`);
      return null;
    }
  };
  try {
    return {
      identity: read('identity.json', machineIdentitySchema),
      commands: read('commands.json', ledgerSchema),
      problems,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
