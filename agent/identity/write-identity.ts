import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeKeyPair } from './make-identity.ts';
import { type KeyPair, keyPairSchema, type MachineIdentity, readIdentity } from './read-identity.ts';
import { readJsonFile } from './read-json-file.ts';
import { syncFolder, writePrivateFile } from './write-private-file.ts';

/**
 * The key that this machine enrols with: that of its identity, else the one of an enrolment that was cut off (the server
 * may know it already), else a new one, which is on the medium before it is used.
 * @throws ProvisionError `document_invalid`, `permission`.
 */
export function keyForEnrolment(identityFile: string): KeyPair {
  const identity = readIdentity(identityFile);
  if (identity !== null) return { public_key: identity.public_key, private_key: identity.private_key };
  const pendingFile = pendingKeyFile(identityFile);
  const pending = readJsonFile(pendingFile, keyPairSchema);
  if (pending !== null) return pending;
  const keys = makeKeyPair();
  writePrivateFile(pendingFile, `${JSON.stringify(keys, null, 2)}\n`);
  return keys;
}

/** Writes identity.json, mode 0600, whole or not at all. @throws ProvisionError `permission`. */
export function writeIdentity(identityFile: string, identity: MachineIdentity): void {
  writePrivateFile(identityFile, `${JSON.stringify(identity, null, 2)}\n`);
  rmSync(pendingKeyFile(identityFile), { force: true });
  syncFolder(dirname(identityFile));
}

function pendingKeyFile(identityFile: string): string {
  return join(dirname(identityFile), 'enrolling-key.json');
}
