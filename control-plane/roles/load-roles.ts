import type { ServerContext } from '../context.ts';
import { unprocessable } from '../http/api-error.ts';
import { boolean, number, type Row, text } from '../store/row-values.ts';

/** What rendering needs to know of a role. */
export interface RenderableRole {
  readonly name: string;
  readonly mergePriority: number;
  readonly template: string;
  readonly requiresMesh: boolean;
}

const columns = 'roles.name, merge_priority, template_data, requires_mesh';

/** The roles of a machine in the order of its `role_names`. */
export function rolesOfMachine({ db }: ServerContext, machineUuid: string): RenderableRole[] {
  return db
    .prepare(
      `SELECT ${columns} FROM machine_roles JOIN roles ON roles.uuid = role_uuid WHERE machine_uuid = ? ORDER BY position`,
    )
    .all(machineUuid)
    .map(roleOf);
}

/**
 * The roles of these names; one of the account goes before an official one.
 * @throws ApiError 422 for an unknown name.
 */
export function rolesOfNames({ db, accountUuid }: ServerContext, names: readonly string[]): RenderableRole[] {
  const find = db.prepare(
    `SELECT ${columns} FROM roles WHERE name = ? AND (account_uuid = ? OR account_uuid IS NULL)
     ORDER BY account_uuid IS NULL LIMIT 1`,
  );
  return names.map((name) => {
    const row = find.get(name, accountUuid);
    if (row === undefined) throw unprocessable('role_names', `there is no role ${name}`);
    return roleOf(row);
  });
}

/** From the lowest merge priority to the highest; equal ones as they came. */
export function inMergeOrder(roles: readonly RenderableRole[]): RenderableRole[] {
  return roles.toSorted((left, right) => left.mergePriority - right.mergePriority);
}

function roleOf(row: Row): RenderableRole {
  return {
    name: text(row, 'name'),
    mergePriority: number(row, 'merge_priority'),
    template: text(row, 'template_data'),
    requiresMesh: boolean(row, 'requires_mesh'),
  };
}
