import { randomUUID } from 'node:crypto';
import type { SQLInputValue } from 'node:sqlite';
import type {
  RegistryCredential,
  RegistryCredentialCreate,
  RegistryCredentialUpdate,
} from '../../../protocol/api/registry-credentials.ts';
import type { ServerContext } from '../../context.ts';
import { timestampOf } from '../../context.ts';
import { ApiError, notFound } from '../../http/api-error.ts';
import { transaction } from '../../store/open-database.ts';
import { number, type Row, text } from '../../store/row-values.ts';
import { passwordPlace } from './credential-of-image.ts';

const select = `SELECT registry_credentials.*,
  (SELECT count(*) FROM images WHERE registry_credential_uuid = registry_credentials.uuid) AS image_count
  FROM registry_credentials WHERE account_uuid = ?`;

export function listRegistryCredentials(context: ServerContext): RegistryCredential[] {
  return context.db.prepare(`${select} ORDER BY created_at, rowid`).all(context.accountUuid).map(credentialOf);
}

/** @throws ApiError 404. */
export function getRegistryCredential(context: ServerContext, uuid: string): RegistryCredential {
  const row = context.db.prepare(`${select} AND uuid = ?`).get(context.accountUuid, uuid);
  if (row === undefined) throw notFound('the registry credential');
  return credentialOf(row);
}

/** @throws ApiError 409 for a name that is taken. */
export function createRegistryCredential(context: ServerContext, body: RegistryCredentialCreate): RegistryCredential {
  const { db, accountUuid, clock, sealer } = context;
  return transaction(db, () => {
    const uuid = randomUUID();
    assertNameIsFree(context, body.name, uuid);
    const now = timestampOf(clock);
    db.prepare(
      `INSERT INTO registry_credentials (uuid, account_uuid, name, registry_url, username, password_sealed, description,
         created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      uuid,
      accountUuid,
      body.name,
      body.registry_url,
      body.username,
      sealer.seal(body.password, passwordPlace(uuid)),
      body.description,
      now,
      now,
    );
    return getRegistryCredential(context, uuid);
  });
}

/** @throws ApiError 404, 409 for a name that is taken. */
export function updateRegistryCredential(
  context: ServerContext,
  uuid: string,
  body: RegistryCredentialUpdate,
): RegistryCredential {
  const { db, clock, sealer } = context;
  return transaction(db, () => {
    getRegistryCredential(context, uuid);
    const { password, ...plain } = body;
    if (plain.name !== undefined) assertNameIsFree(context, plain.name, uuid);
    const columns: Record<string, SQLInputValue | undefined> = {
      ...plain,
      ...(password === undefined ? {} : { password_sealed: sealer.seal(password, passwordPlace(uuid)) }),
      updated_at: timestampOf(clock),
    };
    for (const [column, value] of Object.entries(columns)) {
      if (value === undefined) continue;
      db.prepare(`UPDATE registry_credentials SET ${column} = ? WHERE uuid = ?`).run(value, uuid);
    }
    return getRegistryCredential(context, uuid);
  });
}

/** Images that used it are fetched anonymously from now on. @throws ApiError 404. */
export function deleteRegistryCredential(context: ServerContext, uuid: string): void {
  transaction(context.db, () => {
    getRegistryCredential(context, uuid);
    context.db.prepare('DELETE FROM registry_credentials WHERE uuid = ?').run(uuid);
  });
}

function assertNameIsFree({ db, accountUuid }: ServerContext, name: string, uuid: string): void {
  const other = db
    .prepare('SELECT 1 FROM registry_credentials WHERE account_uuid = ? AND name = ? AND uuid <> ?')
    .get(accountUuid, name, uuid);
  if (other !== undefined) throw new ApiError(409, `there is a registry credential ${name} already`);
}

function credentialOf(row: Row): RegistryCredential {
  return {
    uuid: text(row, 'uuid'),
    name: text(row, 'name'),
    registry_url: text(row, 'registry_url'),
    username: text(row, 'username'),
    description: text(row, 'description'),
    image_count: number(row, 'image_count'),
    created_at: text(row, 'created_at'),
    updated_at: text(row, 'updated_at'),
  };
}
