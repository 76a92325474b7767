import { z } from 'zod';

/** 32 bytes as base64url without padding (RFC 7515, section 2). */
export const base64url32 = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be 32 bytes in base64url');

/** An Ed25519 public key as JWK (RFC 8037, section 2): the machine's identity. */
export const publicKeySchema = z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: base64url32 });

export type PublicKey = z.infer<typeof publicKeySchema>;

/** SHA-256 of a CA's SubjectPublicKeyInfo: the pin of a server (protocol.md, "Server identity"). */
export const pinSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hex digits');
