import { z } from 'zod';
import {
  createMeshNetworkSchema,
  meshNetworkSchema,
  updateMeshNetworkSchema,
} from '../../protocol/api/mesh-networks.ts';
import { agentSettings } from '../agents/agent-settings.ts';
import type { ServerContext } from '../context.ts';
import { defineRoute, type Route } from '../http/route.ts';
import type { AgentHub } from '../services.ts';
import {
  createMeshNetwork,
  deleteMeshNetwork,
  getMeshNetwork,
  listMeshNetworks,
  updateMeshNetwork,
} from './store-mesh-network.ts';

const tag = 'MeshNetworks';
const params = z.object({ uuid: z.uuid() });
const collection = '/api/controlplane/mesh-networks/';
const item = '/api/controlplane/mesh-networks/{uuid}';

/** Private networks whose addresses machines get. */
export function meshNetworkRoutes(context: ServerContext, { hub }: { readonly hub: AgentHub }): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: collection,
      operationId: 'controlplane_api_list_mesh_networks',
      tag,
      summary: 'List mesh networks',
      access: 'api',
      responses: { 200: z.array(meshNetworkSchema) },
      handle: () => listMeshNetworks(context),
    }),
    defineRoute({
      method: 'POST',
      path: collection,
      operationId: 'controlplane_api_create_mesh_network',
      tag,
      summary: 'Make a mesh network',
      access: 'api',
      body: createMeshNetworkSchema,
      responses: { 201: meshNetworkSchema },
      errors: [409],
      handle: ({ body }) => createMeshNetwork(context, body),
    }),
    defineRoute({
      method: 'GET',
      path: item,
      operationId: 'controlplane_api_get_mesh_network',
      tag,
      summary: 'Get a mesh network',
      access: 'api',
      params,
      responses: { 200: meshNetworkSchema },
      handle: ({ params: { uuid } }) => getMeshNetwork(context, uuid),
    }),
    defineRoute({
      method: 'PATCH',
      path: item,
      operationId: 'controlplane_api_update_mesh_network',
      tag,
      summary: 'Change a mesh network; what is absent stays as it is',
      access: 'api',
      params,
      body: updateMeshNetworkSchema,
      responses: { 200: meshNetworkSchema },
      errors: [409],
      handle: ({ params: { uuid }, body }) => updateMeshNetwork(context, uuid, body),
    }),
    defineRoute({
      method: 'DELETE',
      path: item,
      operationId: 'controlplane_api_delete_mesh_network',
      tag,
      summary: 'Delete a mesh network; its machines are in none afterwards',
      access: 'api',
      params,
      responses: { 204: null },
      handle: ({ params: { uuid } }) => {
        for (const machineUuid of deleteMeshNetwork(context, uuid)) {
          hub.pushConfig(machineUuid, agentSettings(context.db, machineUuid));
          context.events.publish({ type: 'machine', uuid: machineUuid });
        }
      },
    }),
  ];
}
