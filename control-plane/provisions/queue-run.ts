import { randomUUID } from 'node:crypto';
import type { ServerContext } from '../context.ts';
import { ApiError, notFound, unprocessable } from '../http/api-error.ts';
import { transaction } from '../store/open-database.ts';
import { boolean, number, type Row, text, textOrNull } from '../store/row-values.ts';
import { chooseImage } from './choose-image.ts';
import { findActiveRun, insertRun, type RunSettings } from './provision-store.ts';
import { newRunState } from './run-state.ts';

/** What is asked for with one run; everything else is the machine's settings. */
export type RunOrder = Pick<RunSettings, 'boot' | 'read_back'>;

/**
 * Stores a new run of the machine with what it is to install; nothing is sent yet.
 * @returns The run's UUID.
 * @throws ApiError 404; 409 while another run is active; 422 without a usable image, or where a role needs a mesh.
 */
export function queueRun(context: ServerContext, machineUuid: string, order: RunOrder): string {
  const { db, clock } = context;
  return transaction(db, () => {
    const machine = findMachine(context, machineUuid);
    const active = findActiveRun(db, machineUuid);
    if (active !== null) {
      throw new ApiError(409, `the machine has a run that has not ended: ${active.uuid} (${active.state.status})`);
    }
    const roles = db
      .prepare(
        `SELECT roles.name, roles.requires_mesh FROM machine_roles JOIN roles ON roles.uuid = machine_roles.role_uuid
         WHERE machine_uuid = ? ORDER BY position`,
      )
      .all(machineUuid);
    const lost = roles.filter((role) => boolean(role, 'requires_mesh')).map((role) => text(role, 'name'));
    if (lost.length > 0 && machine['mesh_network_uuid'] === null) {
      throw unprocessable('', `the machine is in no mesh network, which it needs for: ${lost.join(', ')}`);
    }
    const image = chooseImage(db, machineUuid);
    const uuid = randomUUID();
    const injectAgent = boolean(machine, 'inject_agent');
    insertRun(
      db,
      {
        uuid,
        machineUuid,
        state: newRunState(injectAgent),
        settings: {
          hostname: text(machine, 'hostname'),
          target_disk: textOrNull(machine, 'target_disk'),
          inject_agent: injectAgent,
          kexec_installer: boolean(machine, 'kexec_installer'),
          boot: order.boot,
          read_back: order.read_back,
        },
        imageUuid: image.uuid,
        imageUrl: image.url,
        registryCredentialUuid: image.registryCredentialUuid,
        roleNames: roles.map((role) => text(role, 'name')),
        configRevision: number(machine, 'config_revision'),
      },
      clock.now(),
    );
    return uuid;
  });
}

/** @throws ApiError 404 for a machine of nobody or of another account. */
export function findMachine(context: ServerContext, machineUuid: string): Row {
  const row = context.db
    .prepare('SELECT * FROM machines WHERE uuid = ? AND account_uuid = ?')
    .get(machineUuid, context.accountUuid);
  if (row === undefined) throw notFound('the machine');
  return row;
}
