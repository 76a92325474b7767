import { join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import { cpioChunks, withParents } from '../../core/cpio/cpio.ts';
import { type LedgerState, ledgerSchema } from '../commands/command-ledger.ts';
import { type MachineIdentity, readIdentity } from '../identity/read-identity.ts';
import { readJsonFile } from '../identity/read-json-file.ts';

/** What goes along into the installer (protocol.md, "Carrying state into the installer"). */
export interface CarriedState {
  readonly identity: MachineIdentity;
  /** Holds the pending command's UUID, and what became of those before; no arguments. */
  readonly commands: LedgerState;
}

/**
 * The state of this system as it is on the medium.
 * @throws ProvisionError `document_invalid`, `permission`; `invariant` when the pending command is not noted.
 */
export function readCarriedState(stateDir: string, commandUuid: string): CarriedState {
  const identity = readIdentity(join(stateDir, 'identity.json'));
  const commands = readJsonFile(join(stateDir, 'commands.json'), ledgerSchema);
  const isNoted = commands?.entries.some((entry) => entry.command_uuid === commandUuid && entry.state === 'accepted');
  if (identity === null || commands === null || isNoted !== true) {
    throw new ProvisionError('invariant', `${stateDir} does not hold the identity and the pending command`);
  }
  return { identity, commands };
}

/**
 * The state as an initrd: a newc cpio that the kernel unpacks over its built-in one. It holds the machine's private key,
 * so it is written with mode 0600 only and removed as soon as possible.
 */
export function carriedArchive({ identity, commands }: CarriedState): Buffer {
  const file = (name: string, value: unknown) => ({
    path: `durantic/carried/${name}`,
    kind: 'file' as const,
    mode: 0o600,
    source: Buffer.from(`${JSON.stringify(value)}\n`),
  });
  const entries = withParents([
    { path: 'durantic/carried', kind: 'directory', mode: 0o700 },
    file('identity.json', identity),
    file('commands.json', commands),
  ]);
  return Buffer.concat([...cpioChunks(entries)]);
}
