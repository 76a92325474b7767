import { z } from 'zod';
import { type MeshNetwork, meshNetworkSchema } from '../../protocol/api/mesh-networks.ts';
import { findObject } from './find-object.ts';
import type { Operator } from './operator.ts';
import { printJson, printLines, printTable } from './output.ts';
import type { Column } from './table.ts';

export const meshNetworksPath = '/api/controlplane/mesh-networks/';

export async function listMeshNetworks({ api, output }: Operator): Promise<void> {
  const networks = await api.get(meshNetworksPath, z.array(meshNetworkSchema));
  if (output.json) return printJson(output, networks);
  const columns: Column<MeshNetwork>[] = [
    { title: 'NAME', value: ({ name }) => name, shrinksTo: 12 },
    { title: 'NETWORK', value: (network) => network.network_cidr },
    { title: 'MACHINES', value: (network) => String(network.machine_count) },
    { title: 'FREE', value: (network) => String(network.available_ip_count) },
    { title: 'DEFAULT', value: (network) => (network.is_default ? 'yes' : '') },
    { title: 'UUID', value: ({ uuid }) => uuid },
  ];
  printTable(output, { columns, rows: networks, empty: 'There is no mesh network.' });
}

export interface NewMeshNetwork {
  readonly name: string;
  readonly cidr: string;
  readonly isDefault: boolean;
  readonly routeReflector: boolean;
}

export async function addMeshNetwork({ api, output }: Operator, wanted: NewMeshNetwork): Promise<void> {
  const network = await api.post(
    meshNetworksPath,
    {
      name: wanted.name,
      network_cidr: wanted.cidr,
      is_default: wanted.isDefault,
      route_reflector_mode: wanted.routeReflector,
    },
    meshNetworkSchema,
  );
  if (output.json) return printJson(output, network);
  printLines(output, [
    `The mesh network ${network.name} has ${network.available_ip_count} addresses in ${network.network_cidr}.`,
  ]);
}

export async function removeMeshNetwork({ api, output }: Operator, name: string): Promise<void> {
  const found = findObject(await api.get(meshNetworksPath, z.array(meshNetworkSchema)), 'mesh network', name);
  await api.delete(`${meshNetworksPath}${found.uuid}`);
  if (output.json) return printJson(output, { uuid: found.uuid, removed: true });
  printLines(output, [`The mesh network ${found.name} is removed.`]);
}
