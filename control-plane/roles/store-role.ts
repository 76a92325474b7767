import { randomUUID } from 'node:crypto';
import type { SQLInputValue } from 'node:sqlite';
import type { CreateMachineRole, MachineRole, UpdateMachineRole } from '../../protocol/api/machine-roles.ts';
import { type ServerContext, timestampOf } from '../context.ts';
import { ApiError, notFound, unprocessable } from '../http/api-error.ts';
import { markMachinesOfRole } from '../machines/needs-provisioning.ts';
import { transaction } from '../store/open-database.ts';
import { boolean, number, type Row, text, textOrNull } from '../store/row-values.ts';

const select = `SELECT roles.*, images.name AS image_name, images.docker_image_url FROM roles
  LEFT JOIN images ON images.uuid = roles.image_uuid
  WHERE (roles.account_uuid = ? OR roles.account_uuid IS NULL)`;

/** The account's own roles and the official ones. */
export function listRoles({ db, accountUuid }: ServerContext): MachineRole[] {
  return db.prepare(`${select} ORDER BY roles.created_at, roles.rowid`).all(accountUuid).map(roleOf);
}

/** @throws ApiError 404. */
export function getRole({ db, accountUuid }: ServerContext, uuid: string): MachineRole {
  const row = db.prepare(`${select} AND roles.uuid = ?`).get(accountUuid, uuid);
  if (row === undefined) throw notFound('the role');
  return roleOf(row);
}

/** @throws ApiError 409 for a name that is taken, 422 for an unknown image or any VIP. */
export function createRole(context: ServerContext, body: CreateMachineRole): MachineRole {
  const { db, accountUuid, clock } = context;
  return transaction(db, () => {
    const uuid = randomUUID();
    assertNameIsFree(context, body.name, uuid);
    checkReferences(context, body);
    const now = timestampOf(clock);
    db.prepare(
      `INSERT INTO roles (uuid, account_uuid, name, merge_priority, template_data, description, image_uuid, requires_mesh,
         created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      uuid,
      accountUuid,
      body.name,
      body.merge_priority,
      body.template_data,
      body.description,
      body.image_uuid,
      Number(body.requires_mesh),
      now,
      now,
    );
    return getRole(context, uuid);
  });
}

/**
 * Machines of the role need provisioning when what they would be installed with changed.
 * @throws ApiError 403 for an official role, 404, 409, 422.
 */
export function updateRole(context: ServerContext, uuid: string, body: UpdateMachineRole): MachineRole {
  const { db, clock } = context;
  return transaction(db, () => {
    const before = ownRole(context, uuid);
    if (body.name !== undefined) assertNameIsFree(context, body.name, uuid);
    checkReferences(context, body);
    const { vip_uuid: _, requires_mesh: requiresMesh, ...columns } = body;
    const after: Record<string, SQLInputValue | undefined> = {
      ...columns,
      ...(requiresMesh === undefined ? {} : { requires_mesh: Number(requiresMesh) }),
      updated_at: timestampOf(clock),
    };
    for (const [column, value] of Object.entries(after)) {
      if (value !== undefined) db.prepare(`UPDATE roles SET ${column} = ? WHERE uuid = ?`).run(value, uuid);
    }
    const role = getRole(context, uuid);
    if (installedWith(role) !== installedWith(before)) markMachinesOfRole(context, uuid);
    return role;
  });
}

/** Takes the role from its machines, which then need provisioning. @throws ApiError 403 for an official role, 404. */
export function deleteRole(context: ServerContext, uuid: string): void {
  transaction(context.db, () => {
    ownRole(context, uuid);
    markMachinesOfRole(context, uuid);
    context.db.prepare('DELETE FROM roles WHERE uuid = ?').run(uuid);
  });
}

function installedWith({ template_data, merge_priority, image }: MachineRole): string {
  return JSON.stringify([template_data, merge_priority, image?.uuid]);
}

function ownRole(context: ServerContext, uuid: string): MachineRole {
  const role = getRole(context, uuid);
  if (role.is_official) throw new ApiError(403, 'official roles cannot be changed');
  return role;
}

function assertNameIsFree({ db, accountUuid }: ServerContext, name: string, uuid: string): void {
  const other = db.prepare('SELECT 1 FROM roles WHERE account_uuid = ? AND name = ? AND uuid <> ?');
  if (other.get(accountUuid, name, uuid) !== undefined) throw new ApiError(409, `there is a role ${name} already`);
}

function checkReferences({ db, accountUuid }: ServerContext, body: UpdateMachineRole): void {
  if (typeof body.vip_uuid === 'string') {
    throw unprocessable('vip_uuid', 'VIPs are not served by this version of the server');
  }
  if (typeof body.image_uuid !== 'string') return;
  const image = db
    .prepare('SELECT 1 FROM images WHERE uuid = ? AND (account_uuid = ? OR account_uuid IS NULL)')
    .get(body.image_uuid, accountUuid);
  if (image === undefined) throw unprocessable('image_uuid', 'there is no such image');
}

function roleOf(row: Row): MachineRole {
  const imageUuid = textOrNull(row, 'image_uuid');
  const vipUuid = textOrNull(row, 'vip_uuid');
  return {
    uuid: text(row, 'uuid'),
    name: text(row, 'name'),
    merge_priority: number(row, 'merge_priority'),
    template_data: text(row, 'template_data'),
    description: text(row, 'description'),
    image:
      imageUuid === null
        ? null
        : { uuid: imageUuid, name: text(row, 'image_name'), docker_image_url: text(row, 'docker_image_url') },
    vip: vipUuid === null ? null : { uuid: vipUuid },
    requires_mesh: boolean(row, 'requires_mesh'),
    is_official: boolean(row, 'is_official'),
    forked_from_uuid: textOrNull(row, 'forked_from_uuid'),
    required_image_name: null,
    created_at: text(row, 'created_at'),
    updated_at: text(row, 'updated_at'),
  };
}
