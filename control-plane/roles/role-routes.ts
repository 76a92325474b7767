import { z } from 'zod';
import {
  createMachineRoleSchema,
  machineRoleSchema,
  previewRolesSchema,
  rolePreviewSchema,
  updateMachineRoleSchema,
} from '../../protocol/api/machine-roles.ts';
import type { ServerContext } from '../context.ts';
import { notFound } from '../http/api-error.ts';
import { defineRoute, type Route } from '../http/route.ts';
import type { RoleRenderer } from './create-renderer.ts';
import { createRole, deleteRole, getRole, listRoles, updateRole } from './store-role.ts';

const tag = 'MachineRoles';
const params = z.object({ uuid: z.uuid() });
const collection = '/api/controlplane/machine-roles/';
const item = '/api/controlplane/machine-roles/{uuid}';

/** What previews need of the services. */
export type RolePreviews = Pick<RoleRenderer, 'previewRoles'>;

/** Roles: templates of user data, images, and what machines would get from them. */
export function roleRoutes(context: ServerContext, previews: RolePreviews): Route[] {
  return [...collectionRoutes(context), ...itemRoutes(context), ...previewRoutes(context, previews)];
}

function collectionRoutes(context: ServerContext): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: collection,
      operationId: 'controlplane_api_list_machine_roles',
      tag,
      summary: "List roles, the account's own and official ones",
      access: 'api',
      responses: { 200: z.array(machineRoleSchema) },
      handle: () => listRoles(context),
    }),
    defineRoute({
      method: 'POST',
      path: collection,
      operationId: 'controlplane_api_create_machine_role',
      tag,
      summary: 'Make a role',
      access: 'api',
      body: createMachineRoleSchema,
      responses: { 201: machineRoleSchema },
      errors: [409],
      handle: ({ body }) => createRole(context, body),
    }),
  ];
}

function itemRoutes(context: ServerContext): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: item,
      operationId: 'controlplane_api_get_machine_role',
      tag,
      summary: 'Get a role',
      access: 'api',
      params,
      responses: { 200: machineRoleSchema },
      handle: ({ params: { uuid } }) => getRole(context, uuid),
    }),
    defineRoute({
      method: 'PATCH',
      path: item,
      operationId: 'controlplane_api_update_machine_role',
      tag,
      summary: 'Change a role; what is absent stays as it is',
      access: 'api',
      params,
      body: updateMachineRoleSchema,
      responses: { 200: machineRoleSchema },
      errors: [403, 409],
      handle: ({ params: { uuid }, body }) => updateRole(context, uuid, body),
    }),
    defineRoute({
      method: 'DELETE',
      path: item,
      operationId: 'controlplane_api_delete_machine_role',
      tag,
      summary: 'Delete a role and take it from its machines',
      access: 'api',
      params,
      responses: { 204: null },
      errors: [403],
      handle: ({ params: { uuid } }) => deleteRole(context, uuid),
    }),
  ];
}

function previewRoutes({ db, accountUuid }: ServerContext, { previewRoles }: RolePreviews): Route[] {
  return [
    defineRoute({
      method: 'POST',
      path: `${collection}preview`,
      operationId: 'controlplane_api_preview_machine_roles',
      tag,
      summary: 'Show what a machine would get from its roles, from others, or from one that is not saved yet',
      access: 'api',
      body: previewRolesSchema,
      responses: { 200: rolePreviewSchema },
      handle: ({ body }) => previewRoles(body),
    }),
    defineRoute({
      method: 'GET',
      path: '/api/provisioning/machines/{uuid}/cloud-init',
      operationId: 'provisioning_api_get_machine_cloud_init',
      tag: 'Machines',
      summary: 'Show the user data that the roles of a machine render to, with placeholders for secrets',
      access: 'api',
      params,
      responses: { 200: rolePreviewSchema },
      handle: ({ params: { uuid } }) => {
        const machine = db.prepare('SELECT 1 FROM machines WHERE uuid = ? AND account_uuid = ?').get(uuid, accountUuid);
        if (machine === undefined) throw notFound('the machine');
        return previewRoles({ machine_uuid: uuid });
      },
    }),
  ];
}
