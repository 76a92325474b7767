import type { ServerContext } from '../context.ts';
import { text } from '../store/row-values.ts';

/**
 * Notes, inside the transaction that changes what these machines would be installed with, that they need a run. A run
 * that was queued before does not clear it.
 */
export function markNeedsProvisioning(context: ServerContext, machineUuids: readonly string[]): void {
  const { db, events } = context;
  const mark = db.prepare(
    'UPDATE machines SET needs_provisioning = 1, config_revision = config_revision + 1 WHERE uuid = ?',
  );
  for (const uuid of machineUuids) {
    mark.run(uuid);
    events.publish({ type: 'machine', uuid });
  }
}

/** The same for all machines that have this role: its template or image is another now. */
export function markMachinesOfRole(context: ServerContext, roleUuid: string): void {
  const rows = context.db.prepare('SELECT machine_uuid FROM machine_roles WHERE role_uuid = ?').all(roleUuid);
  markNeedsProvisioning(
    context,
    rows.map((row) => text(row, 'machine_uuid')),
  );
}

/** The same for all machines that would be installed from this image: by a role, or without one by the account's default. */
export function markMachinesOfImage(context: ServerContext, imageUuid: string): void {
  const rows = context.db
    .prepare(
      `SELECT uuid FROM machines WHERE uuid IN
         (SELECT machine_uuid FROM machine_roles JOIN roles ON roles.uuid = role_uuid WHERE image_uuid = ?1)
       OR (account_uuid IN (SELECT uuid FROM accounts WHERE default_image_uuid = ?1) AND uuid NOT IN
         (SELECT machine_uuid FROM machine_roles JOIN roles ON roles.uuid = role_uuid WHERE image_uuid IS NOT NULL))`,
    )
    .all(imageUuid);
  markNeedsProvisioning(
    context,
    rows.map((row) => text(row, 'uuid')),
  );
}

/** The same for all machines that are installed with the account's default image, which is another now. */
export function markMachinesOfDefaultImage(context: ServerContext, accountUuid: string): void {
  const rows = context.db
    .prepare(
      `SELECT uuid FROM machines WHERE account_uuid = ? AND uuid NOT IN
         (SELECT machine_uuid FROM machine_roles JOIN roles ON roles.uuid = role_uuid WHERE image_uuid IS NOT NULL)`,
    )
    .all(accountUuid);
  markNeedsProvisioning(
    context,
    rows.map((row) => text(row, 'uuid')),
  );
}
