import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { writePrivateFile } from '../store/write-private-file.ts';

/** A key that bootstrap tokens are encrypted under. */
export interface BootstrapKey {
  /** Named in the header of each token; no secret. */
  readonly kid: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
  readonly createdAt: string;
}

const fileSchema = z
  .array(
    z.object({
      kid: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
      key: z.base64url().length(43),
      created_at: z.iso.datetime(),
    }),
  )
  .nonempty();

/**
 * The keys in `jwe.key` of the data directory, at least one, in the order in which they were made. The file is read at every use, so that a key that was added or retired,
 * by whichever process, counts from the next token on; it has a few hundred bytes and stays in the page cache.
 * @throws ProvisionError `server_key_missing`, `server_key_invalid`.
 */
export function readBootstrapKeys(dataDir: string): BootstrapKey[] {
  const path = keyFile(dataDir);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const code = errnoOf(cause) === 'ENOENT' ? 'server_key_missing' : 'server_key_invalid';
    throw new ProvisionError(code, `the keys of the bootstrap tokens, ${path}, cannot be read`, {
      cause,
      facts: { path },
    });
  }
  const parsed = fileSchema.safeParse(jsonOrNull(text));
  const kids = parsed.success ? new Set(parsed.data.map(({ kid }) => kid)) : new Set();
  if (!parsed.success || kids.size !== parsed.data.length) {
    // Neither the text nor what the parser says of it may be shown: both hold keys.
    throw new ProvisionError('server_key_invalid', `${path} is not a list of keys`, { facts: { path } });
  }
  return parsed.data.map((entry) => ({
    kid: entry.kid,
    key: new Uint8Array(Buffer.from(entry.key, 'base64url')),
    createdAt: entry.created_at,
  }));
}

/** Makes the file with its first key when it is not there. @returns True when it was made. */
export function ensureBootstrapKeys(dataDir: string, nowMs: number): boolean {
  try {
    readBootstrapKeys(dataDir);
    return false;
  } catch (error) {
    if (!(error instanceof ProvisionError) || error.code !== 'server_key_missing') throw error;
    writeKeys(dataDir, [newKey(nowMs)]);
    return true;
  }
}

/** Adds a key, which issues from now on; tokens under the others stay valid. On the disk when this returns. */
export function rotateBootstrapKey(dataDir: string, nowMs: number): BootstrapKey {
  const key = newKey(nowMs);
  writeKeys(dataDir, [...readBootstrapKeys(dataDir), key]);
  return key;
}

/**
 * Removes a key: every token under it is refused from now on. When it was the one that issues, a new key takes its
 * place, so that what is issued next is not under an older key than what was just revoked.
 * @returns False when there is no such key.
 */
export function retireBootstrapKey(dataDir: string, kid: string, nowMs: number): boolean {
  const keys = readBootstrapKeys(dataDir);
  const left = keys.filter((key) => key.kid !== kid);
  if (left.length === keys.length) return false;
  const isIssuing = issuingKey(keys).kid === kid;
  writeKeys(dataDir, isIssuing ? [...left, newKey(nowMs)] : left);
  return true;
}

/** The newest key issues, the others only verify. */
export function issuingKey(keys: readonly BootstrapKey[]): BootstrapKey {
  const last = keys.at(-1);
  if (last === undefined) throw new ProvisionError('invariant', 'there is no key for bootstrap tokens');
  return last;
}

function keyFile(dataDir: string): string {
  return join(dataDir, 'jwe.key');
}

function newKey(nowMs: number): BootstrapKey {
  const day = new Date(nowMs).toISOString().slice(0, 10);
  return {
    kid: `${day}-${randomBytes(4).toString('hex')}`,
    key: new Uint8Array(randomBytes(32)),
    createdAt: new Date(nowMs).toISOString(),
  };
}

function writeKeys(dataDir: string, keys: readonly BootstrapKey[]): void {
  const entries = keys.map(({ kid, key, createdAt }) => ({
    kid,
    key: Buffer.from(key).toString('base64url'),
    created_at: createdAt,
  }));
  writePrivateFile(keyFile(dataDir), `${JSON.stringify(entries, null, 2)}\n`);
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
