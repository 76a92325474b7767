import type { ServerContext } from '../context.ts';
import { unprocessable } from '../http/api-error.ts';
import { text } from '../store/row-values.ts';

/**
 * Replaces a machine's roles, in this order, inside the caller's transaction. A role of the account goes before an
 * official one of the same name.
 * @returns Whether the list is another than before.
 * @throws ApiError 422 for a name that is unknown or there twice.
 */
export function setRoles(context: ServerContext, machineUuid: string, names: readonly string[]): boolean {
  const { db, accountUuid } = context;
  const find = db.prepare(
    `SELECT uuid FROM roles WHERE name = ? AND (account_uuid = ? OR account_uuid IS NULL)
     ORDER BY account_uuid IS NULL LIMIT 1`,
  );
  const uuids = names.map((name, index) => {
    if (names.indexOf(name) !== index) throw unprocessable('role_names', `the role ${name} is there twice`);
    const row = find.get(name, accountUuid);
    if (row === undefined) throw unprocessable('role_names', `there is no role ${name}`);
    return text(row, 'uuid');
  });
  const before = db
    .prepare('SELECT role_uuid FROM machine_roles WHERE machine_uuid = ? ORDER BY position')
    .all(machineUuid)
    .map((row) => text(row, 'role_uuid'));
  if (before.length === uuids.length && before.every((uuid, index) => uuid === uuids[index])) return false;
  db.prepare('DELETE FROM machine_roles WHERE machine_uuid = ?').run(machineUuid);
  const insert = db.prepare('INSERT INTO machine_roles (machine_uuid, role_uuid, position) VALUES (?, ?, ?)');
  for (const [position, uuid] of uuids.entries()) insert.run(machineUuid, uuid, position);
  return true;
}
