import { randomBytes } from 'node:crypto';
import { CompactEncrypt, compactDecrypt } from 'jose';
import { z } from 'zod';
import type { ServerContext } from '../context.ts';
import { type BootstrapKey, issuingKey, readBootstrapKeys } from './bootstrap-keys.ts';

const issuer = 'durantic';
const audience = 'durantic/enroll';
const contentEncryption = 'A256GCM';

/** NumericDates are seconds with a fraction (RFC 7519, section 2), so that a token made right after a revocation counts. */
const claimsSchema = z.object({
  iss: z.literal(issuer),
  aud: z.literal(audience),
  account: z.uuid(),
  iat: z.number(),
  exp: z.number(),
  jti: z.string().min(1).max(64),
  name: z.string(),
  /** Only on a single-use token: the machine whose record it is for. */
  machine: z.uuid().optional(),
});

type Claims = z.infer<typeof claimsSchema>;

export interface SealTokenOptions {
  readonly accountUuid: string;
  /** Who made it. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs: number;
  /** Makes it a single-use token for that machine. */
  readonly machine?: { readonly uuid: string; readonly jti: string };
}

export interface SealedToken {
  readonly token: string;
  readonly kid: string;
}

/** Makes a bootstrap token: compact JWE (RFC 7516), `dir` and A256GCM (RFC 7518). Nothing of it is stored. */
export async function sealToken(context: ServerContext, options: SealTokenOptions): Promise<SealedToken> {
  const { kid, key } = issuingKey(readBootstrapKeys(context.dataDir));
  const claims: Claims = {
    iss: issuer,
    aud: audience,
    account: options.accountUuid,
    iat: context.clock.now() / 1000,
    exp: options.expiresAtMs / 1000,
    jti: options.machine?.jti ?? randomBytes(16).toString('base64url'),
    name: options.name,
    ...(options.machine === undefined ? {} : { machine: options.machine.uuid }),
  };
  const token = await new CompactEncrypt(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'dir', enc: contentEncryption, kid })
    .encrypt(key);
  return { token, kid };
}

export interface OpenedToken {
  readonly accountUuid: string;
  readonly name: string;
  readonly jti: string;
  /** Of a single-use token, else null. */
  readonly machineUuid: string | null;
}

export type TokenOpening = { readonly ok: true; readonly grant: OpenedToken } | TokenRefusal;

/**
 * `expired` is said of an authentic token of this server and account that is not revoked, and of no other: to learn it
 * one must hold the whole token, whose time has run out, so it helps nobody to find a valid one, and the machine's screen
 * can say what to do. Altered, under a foreign or retired key, for another audience, revoked: all of them are `invalid`,
 * after the same work.
 */
export interface TokenRefusal {
  readonly ok: false;
  readonly reason: 'invalid' | 'expired';
}

/** Verifies a bootstrap token. Whether a single-use token was used is the database's to say. */
export async function openToken(context: ServerContext, token: string): Promise<TokenOpening> {
  const claims = await decrypt(token, readBootstrapKeys(context.dataDir));
  const validFromMs = tokensValidFromMs(context);
  if (claims === null || claims.account !== context.accountUuid || claims.iat * 1000 < validFromMs) {
    return { ok: false, reason: 'invalid' };
  }
  if (claims.exp * 1000 <= context.clock.now()) return { ok: false, reason: 'expired' };
  const { account, name, jti, machine } = claims;
  return { ok: true, grant: { accountUuid: account, name, jti, machineUuid: machine ?? null } };
}

/** Stands in for a key that there is not, so that a foreign `kid` costs the same as a wrong tag. */
const nobodysKey: BootstrapKey = { kid: '', key: new Uint8Array(randomBytes(32)), createdAt: '' };

/** The claims, or null for everything that is not exactly a token of one of these keys. */
async function decrypt(token: string, keys: readonly BootstrapKey[]): Promise<Claims | null> {
  try {
    const { plaintext } = await compactDecrypt(
      token,
      ({ kid, zip }) => {
        // Our tokens are not compressed: nothing has to be inflated to find that out.
        if (zip !== undefined) throw new Error('compressed');
        return (keys.find((key) => key.kid === kid) ?? nobodysKey).key;
      },
      { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: [contentEncryption] },
    );
    const parsed = claimsSchema.safeParse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(plaintext)));
    return parsed.success ? parsed.data : null;
  } catch {
    // Why a token is none is nobody's business: not the caller's, and not the log's, which would repeat parts of it.
    return null;
  }
}

function tokensValidFromMs({ db, accountUuid }: ServerContext): number {
  const row = db.prepare('SELECT tokens_valid_from FROM accounts WHERE uuid = ?').get(accountUuid);
  const validFrom = row?.['tokens_valid_from'];
  return typeof validFrom === 'string' ? Date.parse(validFrom) : Number.NEGATIVE_INFINITY;
}
