import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { describeError } from '../../core/base/describe-error.ts';
import type { ApiToken } from '../../protocol/api/api-tokens.ts';
import type { ServerContext } from '../context.ts';
import { transaction } from '../store/open-database.ts';

const tokenPattern = /^dur_[A-Za-z0-9_-]{43}$/;
const hintLength = 6;
/** `last_used_at` is a write to the disk; a client that polls must not cause one per request. */
const lastUsedStepMs = 60_000;

export interface CreateApiTokenOptions {
  readonly accountUuid: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/**
 * Makes an API token: `dur_` and 32 random bytes in base64url. Only its SHA-256 is stored, so the token that is given
 * here cannot be shown again.
 */
export function createApiToken(db: DatabaseSync, options: CreateApiTokenOptions): { uuid: string; token: string } {
  const uuid = randomUUID();
  const token = `dur_${randomBytes(32).toString('base64url')}`;
  const createdAt = new Date(options.nowMs).toISOString();
  transaction(db, () => {
    db.prepare(
      'INSERT INTO api_tokens (uuid, account_uuid, name, hash, hint, created_at) VALUES (?, ?, ?, ?, ?, ?)',
    ).run(uuid, options.accountUuid, options.name, hashOf(token), token.slice(-hintLength), createdAt);
  });
  return { uuid, token };
}

type TokenContext = Pick<ServerContext, 'db' | 'clock' | 'log'>;

/**
 * The account that a token belongs to, or null. The search is by hash: how long it takes depends on the hash of what
 * was sent, which tells nothing about the tokens that exist.
 */
export function accountOfApiToken(context: TokenContext, token: string): string | null {
  const { db, clock } = context;
  if (!tokenPattern.test(token)) return null;
  const row = db.prepare('SELECT uuid, account_uuid, last_used_at FROM api_tokens WHERE hash = ?').get(hashOf(token));
  if (row === undefined) return null;
  const lastUsedAt = row['last_used_at'];
  // A clock that was set back must not keep the old time for good.
  const isFresh = typeof lastUsedAt === 'string' && Math.abs(clock.now() - Date.parse(lastUsedAt)) < lastUsedStepMs;
  if (!isFresh) noteUse(context, String(row['uuid']));
  return String(row['account_uuid']);
}

/** A database that takes no writes (a full disk) must not keep an operator from looking: the time is worth less than that. */
function noteUse({ db, clock, log }: TokenContext, uuid: string): void {
  try {
    const usedAt = new Date(clock.now()).toISOString();
    db.prepare('UPDATE api_tokens SET last_used_at = ? WHERE uuid = ?').run(usedAt, uuid);
  } catch (error) {
    log.error({ error: describeError(error) }, 'the use of an API token could not be noted');
  }
}

/** In the order in which they were made. */
export function listApiTokens(db: DatabaseSync, accountUuid: string): ApiToken[] {
  const rows = db
    .prepare('SELECT uuid, name, hint, created_at, last_used_at FROM api_tokens WHERE account_uuid = ? ORDER BY rowid')
    .all(accountUuid);
  return rows.map(toApiToken);
}

export function getApiToken(db: DatabaseSync, accountUuid: string, uuid: string): ApiToken | null {
  const row = db
    .prepare('SELECT uuid, name, hint, created_at, last_used_at FROM api_tokens WHERE account_uuid = ? AND uuid = ?')
    .get(accountUuid, uuid);
  return row === undefined ? null : toApiToken(row);
}

/** What the operator called the token, or null when it is none. */
export function nameOfApiToken(db: DatabaseSync, token: string): string | null {
  const row = db.prepare('SELECT name FROM api_tokens WHERE hash = ?').get(hashOf(token));
  return row === undefined ? null : String(row['name']);
}

/** From the next request on the token is worth nothing. @returns False when the account has no such token. */
export function revokeApiToken(db: DatabaseSync, accountUuid: string, uuid: string): boolean {
  return transaction(
    db,
    () => db.prepare('DELETE FROM api_tokens WHERE account_uuid = ? AND uuid = ?').run(accountUuid, uuid).changes === 1,
  );
}

function toApiToken(row: Record<string, unknown>): ApiToken {
  return {
    uuid: String(row['uuid']),
    name: String(row['name']),
    hint: String(row['hint']),
    created_at: String(row['created_at']),
    last_used_at: row['last_used_at'] === null ? null : String(row['last_used_at']),
  };
}

/** A token has 256 random bits: a plain hash cannot be searched, and a slow one would only slow down requests. */
function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
