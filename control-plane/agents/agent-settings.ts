import type { DatabaseSync } from 'node:sqlite';
import type { AgentSettings } from '../../protocol/agent-frames.ts';

/** What the machine's record says that its agent has to know; goes out with each welcome and each `config`. */
export function agentSettings(db: DatabaseSync, machineUuid: string): AgentSettings {
  const row = db
    .prepare(
      `SELECT auto_update, mesh_ip_address, network_cidr FROM machines
       LEFT JOIN mesh_networks ON mesh_networks.uuid = machines.mesh_network_uuid WHERE machines.uuid = ?`,
    )
    .get(machineUuid);
  const ip = row?.['mesh_ip_address'];
  const cidr = row?.['network_cidr'];
  return {
    auto_update: row?.['auto_update'] === 1,
    mesh: typeof ip === 'string' && typeof cidr === 'string' ? { ip, network_cidr: cidr } : null,
  };
}
