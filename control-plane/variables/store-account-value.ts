import { randomUUID } from 'node:crypto';
import { ProvisionError } from '../../core/base/errors.ts';
import type { CreateAccountValue, Secret, UpdateAccountValue, Variable } from '../../protocol/api/account-values.ts';
import { type ServerContext, timestampOf } from '../context.ts';
import { ApiError, notFound } from '../http/api-error.ts';
import { transaction } from '../store/open-database.ts';
import { type Row, text } from '../store/row-values.ts';

/** Variables lie in clear and are shown; secrets are sealed and never shown. Nothing else differs. */
export type AccountValueKind = 'variable' | 'secret';

const tables = {
  variable: { table: 'variables', column: 'value' },
  secret: { table: 'secrets', column: 'value_sealed' },
} as const;

/** In the order they were made. */
export function listAccountValues({ db, accountUuid }: ServerContext, kind: AccountValueKind): (Variable | Secret)[] {
  const { table } = tables[kind];
  const rows = db.prepare(`SELECT * FROM ${table} WHERE account_uuid = ? ORDER BY created_at, rowid`).all(accountUuid);
  return rows.map((row) => describe(kind, row));
}

/** @throws ApiError 404. */
export function getAccountValue(context: ServerContext, kind: AccountValueKind, uuid: string): Variable | Secret {
  const { db, accountUuid } = context;
  const row = db
    .prepare(`SELECT * FROM ${tables[kind].table} WHERE uuid = ? AND account_uuid = ?`)
    .get(uuid, accountUuid);
  if (row === undefined) throw notFound(`the ${kind}`);
  return describe(kind, row);
}

/** @throws ApiError 409 for a name that is taken. */
export function createAccountValue(
  context: ServerContext,
  kind: AccountValueKind,
  body: CreateAccountValue,
): Variable | Secret {
  const { db, accountUuid, clock } = context;
  const { table, column } = tables[kind];
  return transaction(db, () => {
    const uuid = randomUUID();
    assertNameIsFree(context, kind, body.name, uuid);
    const now = timestampOf(clock);
    db.prepare(
      `INSERT INTO ${table} (uuid, account_uuid, name, ${column}, description, created_at, updated_at)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ).run(uuid, accountUuid, body.name, stored(context, kind, uuid, body.value), body.description, now, now);
    return getAccountValue(context, kind, uuid);
  });
}

/** @throws ApiError 404, 409 for a name that is taken. */
export function updateAccountValue(
  context: ServerContext,
  kind: AccountValueKind,
  uuid: string,
  body: UpdateAccountValue,
): Variable | Secret {
  const { db, clock } = context;
  const { table, column } = tables[kind];
  return transaction(db, () => {
    const before = getAccountValue(context, kind, uuid);
    const name = body.name ?? before.name;
    assertNameIsFree(context, kind, name, uuid);
    db.prepare(`UPDATE ${table} SET name = ?, description = ?, updated_at = ? WHERE uuid = ?`).run(
      name,
      body.description ?? before.description,
      timestampOf(clock),
      uuid,
    );
    if (body.value !== undefined) {
      const value = stored(context, kind, uuid, body.value);
      db.prepare(`UPDATE ${table} SET ${column} = ? WHERE uuid = ?`).run(value, uuid);
    }
    return getAccountValue(context, kind, uuid);
  });
}

/** @throws ApiError 404. */
export function deleteAccountValue(context: ServerContext, kind: AccountValueKind, uuid: string): void {
  transaction(context.db, () => {
    getAccountValue(context, kind, uuid);
    context.db.prepare(`DELETE FROM ${tables[kind].table} WHERE uuid = ?`).run(uuid);
  });
}

/**
 * Name → value of all the account's variables or secrets, for templates; secrets are opened.
 * @throws ProvisionError `sealed_value_unreadable`.
 */
export function accountValues(
  { db, accountUuid, sealer }: ServerContext,
  kind: AccountValueKind,
): Record<string, string> {
  const rows = db.prepare(`SELECT * FROM ${tables[kind].table} WHERE account_uuid = ? ORDER BY name`).all(accountUuid);
  const entries = rows.map((row) => {
    if (kind === 'variable') return [text(row, 'name'), text(row, 'value')];
    const sealed = row['value_sealed'];
    if (!(sealed instanceof Uint8Array)) throw new ProvisionError('invariant', 'a secret has no sealed value');
    return [text(row, 'name'), sealer.open(sealed, placeOf(text(row, 'uuid')))];
  });
  return Object.fromEntries(entries);
}

function stored({ sealer }: ServerContext, kind: AccountValueKind, uuid: string, value: string): string | Uint8Array {
  return kind === 'variable' ? value : sealer.seal(value, placeOf(uuid));
}

function placeOf(secretUuid: string): string {
  return `secrets/${secretUuid}/value`;
}

function assertNameIsFree(
  { db, accountUuid }: ServerContext,
  kind: AccountValueKind,
  name: string,
  uuid: string,
): void {
  const other = db.prepare(`SELECT 1 FROM ${tables[kind].table} WHERE account_uuid = ? AND name = ? AND uuid <> ?`);
  if (other.get(accountUuid, name, uuid) !== undefined) throw new ApiError(409, `there is a ${kind} ${name} already`);
}

function describe(kind: AccountValueKind, row: Row): Variable | Secret {
  const common = {
    uuid: text(row, 'uuid'),
    name: text(row, 'name'),
    description: text(row, 'description'),
    created_at: text(row, 'created_at'),
    updated_at: text(row, 'updated_at'),
  };
  return kind === 'variable' ? { ...common, value: text(row, 'value') } : common;
}
