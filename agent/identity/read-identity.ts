import { z } from 'zod';
import { readJsonFile } from './read-json-file.ts';

const base64url = z.string().regex(/^[A-Za-z0-9_-]{43}$/);
const publicKey = z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: base64url });

/** `identity.json`: the machine's Ed25519 key pair as JWKs (RFC 8037) and the name the server gave it. */
const machineIdentitySchema = z.object({
  machine_uuid: z.uuid(),
  public_key: publicKey,
  private_key: publicKey.extend({ d: base64url }),
});

export type MachineIdentity = z.infer<typeof machineIdentitySchema>;

/**
 * The machine's identity, or null when the machine has none yet.
 * @throws ProvisionError `document_invalid`, `permission`.
 */
export function readIdentity(path: string): MachineIdentity | null {
  return readJsonFile(path, machineIdentitySchema);
}
