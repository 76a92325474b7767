import { z } from 'zod';
import { base64url32, publicKeySchema } from '../../protocol/public-key.ts';
import { readJsonFile } from './read-json-file.ts';

/** The machine's Ed25519 key pair as JWKs (RFC 8037). */
export const keyPairSchema = z.object({
  public_key: publicKeySchema,
  private_key: publicKeySchema.extend({ d: base64url32 }),
});

/** `identity.json`: the key pair and the name the server gave the machine. */
export const machineIdentitySchema = keyPairSchema.extend({ machine_uuid: z.uuid() });

export type KeyPair = z.infer<typeof keyPairSchema>;
export type MachineIdentity = z.infer<typeof machineIdentitySchema>;

/**
 * The machine's identity, or null when the machine has none yet.
 * @throws ProvisionError `document_invalid`, `permission`.
 */
export function readIdentity(path: string): MachineIdentity | null {
  return readJsonFile(path, machineIdentitySchema);
}
