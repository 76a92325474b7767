import { randomUUID } from 'node:crypto';
import type { CreateMeshNetwork, MeshNetwork, UpdateMeshNetwork } from '../../protocol/api/mesh-networks.ts';
import { type ServerContext, timestampOf } from '../context.ts';
import { ApiError, notFound, unprocessable } from '../http/api-error.ts';
import { transaction } from '../store/open-database.ts';
import { boolean, number, type Row, text } from '../store/row-values.ts';
import { hostCount, parseNetworkCidr, problemOfNetworkCidr } from './network-cidr.ts';

const select = `SELECT mesh_networks.*,
  (SELECT count(*) FROM machines WHERE mesh_network_uuid = mesh_networks.uuid) AS machine_count
  FROM mesh_networks WHERE account_uuid = ?`;

export function listMeshNetworks({ db, accountUuid }: ServerContext): MeshNetwork[] {
  return db.prepare(`${select} ORDER BY created_at, rowid`).all(accountUuid).map(networkOf);
}

/** @throws ApiError 404. */
export function getMeshNetwork({ db, accountUuid }: ServerContext, uuid: string): MeshNetwork {
  const row = db.prepare(`${select} AND uuid = ?`).get(accountUuid, uuid);
  if (row === undefined) throw notFound('the mesh network');
  return networkOf(row);
}

/**
 * A new default network takes that place from the one before.
 * @throws ApiError 409 for a name that is taken or a network that overlaps another, 422 for a CIDR that is not private.
 */
export function createMeshNetwork(context: ServerContext, body: CreateMeshNetwork): MeshNetwork {
  const { db, accountUuid, clock } = context;
  return transaction(db, () => {
    const uuid = randomUUID();
    assertNameIsFree(context, body.name, uuid);
    const problem = problemOfNetworkCidr(body.network_cidr);
    if (problem !== null) throw unprocessable('network_cidr', problem);
    assertNoOverlap(context, body.network_cidr);
    if (body.is_default) clearDefault(context);
    const now = timestampOf(clock);
    db.prepare(
      `INSERT INTO mesh_networks (uuid, account_uuid, name, network_cidr, is_default, route_reflector_mode, created_at,
         updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ).run(
      uuid,
      accountUuid,
      body.name,
      body.network_cidr,
      Number(body.is_default),
      Number(body.route_reflector_mode),
      now,
      now,
    );
    return getMeshNetwork(context, uuid);
  });
}

/** @throws ApiError 404, 409 for a name that is taken, 422 for another `network_cidr`: machines have addresses of it. */
export function updateMeshNetwork(context: ServerContext, uuid: string, body: UpdateMeshNetwork): MeshNetwork {
  const { db, clock } = context;
  return transaction(db, () => {
    const before = getMeshNetwork(context, uuid);
    if (body.network_cidr !== undefined && body.network_cidr !== before.network_cidr) {
      throw unprocessable(
        'network_cidr',
        `network_cidr cannot be changed from ${before.network_cidr}; make a new network`,
      );
    }
    const name = body.name ?? before.name;
    assertNameIsFree(context, name, uuid);
    const isDefault = body.is_default ?? before.is_default;
    if (isDefault && !before.is_default) clearDefault(context);
    db.prepare(
      'UPDATE mesh_networks SET name = ?, is_default = ?, route_reflector_mode = ?, updated_at = ? WHERE uuid = ?',
    ).run(
      name,
      Number(isDefault),
      Number(body.route_reflector_mode ?? before.route_reflector_mode),
      timestampOf(clock),
      uuid,
    );
    return getMeshNetwork(context, uuid);
  });
}

/**
 * Deletes a network; its machines are in none afterwards (Terraform destroys networks while machines remain).
 * @returns UUIDs of the machines that were members, whose agents have to be told.
 * @throws ApiError 404.
 */
export function deleteMeshNetwork(context: ServerContext, uuid: string): string[] {
  const { db } = context;
  return transaction(db, () => {
    getMeshNetwork(context, uuid);
    const members = db.prepare('SELECT uuid FROM machines WHERE mesh_network_uuid = ? ORDER BY rowid').all(uuid);
    db.prepare('UPDATE machines SET mesh_network_uuid = NULL, mesh_ip_address = NULL WHERE mesh_network_uuid = ?').run(
      uuid,
    );
    db.prepare('DELETE FROM mesh_networks WHERE uuid = ?').run(uuid);
    return members.map((row) => text(row, 'uuid'));
  });
}

function clearDefault({ db, accountUuid }: ServerContext): void {
  db.prepare('UPDATE mesh_networks SET is_default = 0 WHERE account_uuid = ? AND is_default = 1').run(accountUuid);
}

function assertNameIsFree({ db, accountUuid }: ServerContext, name: string, uuid: string): void {
  const other = db.prepare('SELECT 1 FROM mesh_networks WHERE account_uuid = ? AND name = ? AND uuid <> ?');
  if (other.get(accountUuid, name, uuid) !== undefined) {
    throw new ApiError(409, `there is a mesh network ${name} already`);
  }
}

/** Networks are unique on the whole server: an address then names one machine, whatever mesh is asked. */
function assertNoOverlap({ db }: ServerContext, cidr: string): void {
  const wanted = parseNetworkCidr(cidr);
  for (const row of db.prepare('SELECT name, network_cidr FROM mesh_networks').all()) {
    const other = parseNetworkCidr(text(row, 'network_cidr'));
    if (wanted.network <= other.broadcast && other.network <= wanted.broadcast) {
      throw new ApiError(409, `${cidr} overlaps the mesh network ${text(row, 'name')} (${text(row, 'network_cidr')})`);
    }
  }
}

function networkOf(row: Row): MeshNetwork {
  const machineCount = number(row, 'machine_count');
  return {
    uuid: text(row, 'uuid'),
    name: text(row, 'name'),
    network_cidr: text(row, 'network_cidr'),
    is_default: boolean(row, 'is_default'),
    route_reflector_mode: boolean(row, 'route_reflector_mode'),
    available_ip_count: hostCount(parseNetworkCidr(text(row, 'network_cidr'))) - machineCount,
    machine_count: machineCount,
    created_at: text(row, 'created_at'),
    updated_at: text(row, 'updated_at'),
  };
}
