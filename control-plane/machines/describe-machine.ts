import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import type { Machine, MachineListItem } from '../../protocol/api/machines.ts';
import { inventorySchema } from '../../protocol/inventory.ts';
import { machineFactsSchema } from '../../protocol/machine-facts.ts';
import type { ServerContext } from '../context.ts';
import { notFound } from '../http/api-error.ts';
import type { AgentHub } from '../services.ts';
import { boolean, json, number, type Row, text, textList, textOrNull } from '../store/row-values.ts';
import { type LastRun, lastRuns } from './last-runs.ts';
import { provisionStateOf } from './provision-state.ts';

/** A machine that was heard of within this time is online. */
export const onlineForMs = 60_000;

const modeSchema = z.enum(['installer', 'installed']).nullable();

/** What descriptions of machines are made from. */
export interface MachineSource {
  readonly context: ServerContext;
  readonly hub: AgentHub;
}

/** All machines of the account in the order in which they came. */
export function listMachines(source: MachineSource): MachineListItem[] {
  const { db, accountUuid } = source.context;
  const rows = db.prepare('SELECT * FROM machines WHERE account_uuid = ? ORDER BY created_at, rowid').all(accountUuid);
  const roles = roleNames(db, null);
  const runs = lastRuns(db, null);
  return rows.map((row) => {
    const uuid = text(row, 'uuid');
    return {
      ...commonOf(source, row, roles.get(uuid) ?? [], runs.get(uuid) ?? null),
      mesh_network_uuid: textOrNull(row, 'mesh_network_uuid'),
    };
  });
}

/** @throws ApiError 404. */
export function describeMachine(source: MachineSource, machineUuid: string): Machine {
  const { db, accountUuid } = source.context;
  const row = db
    .prepare(
      `SELECT machines.*, mesh_networks.name AS mesh_name, mesh_networks.network_cidr AS mesh_cidr FROM machines
       LEFT JOIN mesh_networks ON mesh_networks.uuid = machines.mesh_network_uuid
       WHERE machines.uuid = ? AND machines.account_uuid = ?`,
    )
    .get(machineUuid, accountUuid);
  if (row === undefined) throw notFound('the machine');
  const roles = roleNames(db, machineUuid).get(machineUuid) ?? [];
  const run = lastRuns(db, machineUuid).get(machineUuid) ?? null;
  const facts = machineFactsSchema.safeParse(json(row, 'facts'));
  return {
    ...commonOf(source, row, roles, run),
    mesh_network: meshOf(row),
    target_disk: textOrNull(row, 'target_disk'),
    discovered_ip_addresses: textList(row, 'discovered_ip_addresses'),
    system_uuid: textOrNull(row, 'system_uuid'),
    is_enrolled: row['public_key'] !== null,
    macs: textList(row, 'macs'),
    facts: facts.success ? facts.data : null,
    hardware: row['inventory'] === null ? null : (inventorySchema.safeParse(json(row, 'inventory')).data ?? null),
    installed_provision_uuid: textOrNull(row, 'installed_provision_uuid'),
    install_until: textOrNull(row, 'install_until'),
    boot_timeout_seconds: number(row, 'boot_timeout_seconds'),
  };
}

type Common = Omit<MachineListItem, 'mesh_network_uuid'>;

function commonOf(source: MachineSource, row: Row, roles: readonly string[], run: LastRun | null): Common {
  const uuid = text(row, 'uuid');
  const mode = modeSchema.parse(row['mode']);
  const lastSeenMs = lastSeenOf(source, row);
  const isOnline = lastSeenMs !== null && source.context.clock.now() - lastSeenMs < onlineForMs;
  const isInInstaller = isOnline && mode === 'installer';
  const meshIp = textOrNull(row, 'mesh_ip_address');
  return {
    uuid,
    hostname: text(row, 'hostname'),
    needs_provisioning: boolean(row, 'needs_provisioning'),
    pending_config_push: boolean(row, 'pending_config_push'),
    mesh_ip_address: meshIp,
    wg_ip_address: meshIp,
    is_online: isOnline,
    is_in_initrd: isInInstaller,
    tunnel_type: text(row, 'tunnel_type') as Common['tunnel_type'],
    stun_enabled: boolean(row, 'stun_enabled'),
    auto_update: boolean(row, 'auto_update'),
    inject_agent: boolean(row, 'inject_agent'),
    kexec_installer: boolean(row, 'kexec_installer'),
    role_names: [...roles],
    created_at: text(row, 'created_at'),
    updated_at: text(row, 'updated_at'),
    provision_state: provisionStateOf({
      ...{ run, isInInstaller },
      installedProvisionUuid: textOrNull(row, 'installed_provision_uuid'),
    }),
    last_provision: run === null ? null : { ...run.summary },
    last_seen_at: lastSeenMs === null ? null : new Date(lastSeenMs).toISOString(),
    mode,
    agent_version: textOrNull(row, 'agent_version'),
    possible_duplicates: textList(row, 'possible_duplicates'),
  };
}

function lastSeenOf({ hub }: MachineSource, row: Row): number | null {
  const inMemory = hub.lastSeenAt(text(row, 'uuid'));
  if (inMemory !== null) return inMemory;
  const stored = textOrNull(row, 'last_seen_at');
  return stored === null ? null : Date.parse(stored);
}

function meshOf(row: Row): Machine['mesh_network'] {
  const uuid = textOrNull(row, 'mesh_network_uuid');
  return uuid === null ? null : { uuid, name: text(row, 'mesh_name'), network_cidr: text(row, 'mesh_cidr') };
}

/** Machine → names of its roles in order; of all machines or of one. */
function roleNames(db: DatabaseSync, machineUuid: string | null): Map<string, string[]> {
  const sql = `SELECT machine_uuid, roles.name FROM machine_roles JOIN roles ON roles.uuid = machine_roles.role_uuid`;
  const rows =
    machineUuid === null
      ? db.prepare(`${sql} ORDER BY machine_uuid, position`).all()
      : db.prepare(`${sql} WHERE machine_uuid = ? ORDER BY position`).all(machineUuid);
  const names = new Map<string, string[]>();
  for (const row of rows) {
    const uuid = text(row, 'machine_uuid');
    const list = names.get(uuid);
    if (list === undefined) names.set(uuid, [text(row, 'name')]);
    else list.push(text(row, 'name'));
  }
  return names;
}
