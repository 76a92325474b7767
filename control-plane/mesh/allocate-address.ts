import type { ServerContext } from '../context.ts';
import { ApiError, notFound, unprocessable } from '../http/api-error.ts';
import { transaction } from '../store/open-database.ts';
import { addressText, parseAddress, parseNetworkCidr } from './network-cidr.ts';

/**
 * Makes a machine a member of a mesh network and gives it the lowest free address there, or takes it out of its
 * network (null). A member of that very network keeps its address. All in one transaction, so that no address is ever
 * given twice. Whoever calls publishes the change of the machine.
 * @returns The machine's address in the mesh, or null without one.
 * @throws ApiError 404 for an unknown machine, 422 for an unknown network, 409 when the network is full.
 */
export function assignMesh(context: ServerContext, machineUuid: string, meshNetworkUuid: string | null): string | null {
  const { db } = context;
  return transaction(db, () => {
    const machine = db
      .prepare('SELECT mesh_network_uuid, mesh_ip_address FROM machines WHERE uuid = ? AND account_uuid = ?')
      .get(machineUuid, context.accountUuid);
    if (machine === undefined) throw notFound('the machine');
    const current = machine['mesh_ip_address'];
    if (machine['mesh_network_uuid'] === meshNetworkUuid && (meshNetworkUuid === null || current !== null)) {
      return typeof current === 'string' ? current : null;
    }
    const address = meshNetworkUuid === null ? null : freeAddress(context, meshNetworkUuid);
    db.prepare('UPDATE machines SET mesh_network_uuid = ?, mesh_ip_address = ? WHERE uuid = ?').run(
      meshNetworkUuid,
      address,
      machineUuid,
    );
    return address;
  });
}

/**
 * Puts a new machine into the default mesh network, where there is one. A full network does not keep a machine from
 * enrolling: it stays without a mesh, and the log says so.
 * @returns The machine's address in the mesh, or null without one.
 * @throws ApiError 404 for an unknown machine.
 */
export function assignDefaultMesh(context: ServerContext, machineUuid: string): string | null {
  const network = context.db
    .prepare('SELECT uuid FROM mesh_networks WHERE account_uuid = ? AND is_default = 1')
    .get(context.accountUuid);
  if (network === undefined) return null;
  try {
    return assignMesh(context, machineUuid, String(network['uuid']));
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 409) throw error;
    context.log.warn({ machine_uuid: machineUuid }, `${error.message}; the new machine is in no mesh network`);
    return null;
  }
}

function freeAddress(context: ServerContext, meshNetworkUuid: string): string {
  const { db } = context;
  const network = db
    .prepare('SELECT name, network_cidr FROM mesh_networks WHERE uuid = ? AND account_uuid = ?')
    .get(meshNetworkUuid, context.accountUuid);
  if (network === undefined) throw unprocessable('mesh_network_uuid', 'there is no such mesh network');
  const rows = db.prepare('SELECT mesh_ip_address FROM machines WHERE mesh_network_uuid = ?').all(meshNetworkUuid);
  const taken = new Set(rows.map((row) => parseAddress(String(row['mesh_ip_address']))));
  const range = parseNetworkCidr(String(network['network_cidr']));
  for (let address = range.network + 1; address < range.broadcast; address += 1) {
    if (!taken.has(address)) return addressText(address);
  }
  throw new ApiError(409, `the mesh network ${network['name']} (${network['network_cidr']}) has no free address`);
}
