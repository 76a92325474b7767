import type { MachineUpdate } from '../../protocol/api/machines.ts';
import { agentSettings } from '../agents/agent-settings.ts';
import { timestampOf } from '../context.ts';
import { assignMesh } from '../mesh/allocate-address.ts';
import { findMachine } from '../provisions/queue-run.ts';
import { transaction } from '../store/open-database.ts';
import type { MachineSource } from './describe-machine.ts';
import { markNeedsProvisioning } from './needs-provisioning.ts';
import { setRoles } from './set-roles.ts';

/** Fields that are columns and nothing more. */
const plainColumns = [
  'hostname',
  'tunnel_type',
  'stun_enabled',
  'auto_update',
  'inject_agent',
  'target_disk',
  'kexec_installer',
  'boot_timeout_seconds',
] as const;

/** Fields that say what a run installs; a change has an effect with the next one only. */
const installedFields = ['hostname', 'target_disk'] as const;

/**
 * Changes what the body names and nothing else. What agents have to know is sent to them afterwards.
 * @throws ApiError 404; 422 for an unknown role or mesh network; 409 for a mesh network that is full.
 */
export function updateMachine(source: MachineSource, machineUuid: string, update: MachineUpdate): void {
  const { context, hub } = source;
  const { db, clock, events } = context;
  const settings = (): string => JSON.stringify(agentSettings(db, machineUuid));
  const isPushed = transaction(db, () => {
    const before = findMachine(context, machineUuid);
    const settingsBefore = settings();
    for (const column of plainColumns) {
      const value = update[column];
      if (value === undefined) continue;
      const stored = typeof value === 'boolean' ? Number(value) : value;
      db.prepare(`UPDATE machines SET ${column} = ? WHERE uuid = ?`).run(stored, machineUuid);
    }
    if (update.hostname !== undefined) {
      db.prepare('UPDATE machines SET chosen_hostname = hostname WHERE uuid = ?').run(machineUuid);
    }
    if (update.mesh_network_uuid !== undefined) assignMesh(context, machineUuid, update.mesh_network_uuid);
    const hasOtherRoles = update.role_names !== undefined && setRoles(context, machineUuid, update.role_names);
    const isInstalledOtherwise = installedFields.some(
      (field) => update[field] !== undefined && update[field] !== before[field],
    );
    if (hasOtherRoles || isInstalledOtherwise) markNeedsProvisioning(context, [machineUuid]);
    db.prepare('UPDATE machines SET updated_at = ? WHERE uuid = ?').run(timestampOf(clock), machineUuid);
    return settings() !== settingsBefore;
  });
  if (isPushed) hub.pushConfig(machineUuid, agentSettings(db, machineUuid));
  events.publish({ type: 'machine', uuid: machineUuid });
}
