import { z } from 'zod';
import {
  registryCredentialCreateSchema,
  registryCredentialSchema,
  registryCredentialUpdateSchema,
} from '../../../protocol/api/registry-credentials.ts';
import type { ServerContext } from '../../context.ts';
import { defineRoute, type Route } from '../../http/route.ts';
import {
  createRegistryCredential,
  deleteRegistryCredential,
  getRegistryCredential,
  listRegistryCredentials,
  updateRegistryCredential,
} from './store-registry-credential.ts';

const tag = 'RegistryCredentials';
const params = z.object({ uuid: z.uuid() });
const collection = '/api/provisioning/registry-credentials/';
const item = '/api/provisioning/registry-credentials/{uuid}';

/** User names and passwords of registries. Passwords go in and reach the agent that needs them; they never come back. */
export function registryCredentialRoutes(context: ServerContext): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: collection,
      operationId: 'provisioning_api_list_registry_credentials',
      tag,
      summary: 'List registry credentials',
      access: 'api',
      responses: { 200: z.array(registryCredentialSchema) },
      handle: () => listRegistryCredentials(context),
    }),
    defineRoute({
      method: 'POST',
      path: collection,
      operationId: 'provisioning_api_create_registry_credential',
      tag,
      summary: 'Keep user name and password of a registry',
      access: 'api',
      body: registryCredentialCreateSchema,
      responses: { 201: registryCredentialSchema },
      errors: [409],
      handle: ({ body }) => createRegistryCredential(context, body),
    }),
    defineRoute({
      method: 'GET',
      path: item,
      operationId: 'provisioning_api_get_registry_credential',
      tag,
      summary: 'Get a registry credential',
      access: 'api',
      params,
      responses: { 200: registryCredentialSchema },
      handle: ({ params: { uuid } }) => getRegistryCredential(context, uuid),
    }),
    defineRoute({
      method: 'PATCH',
      path: item,
      operationId: 'provisioning_api_update_registry_credential',
      tag,
      summary: 'Change a registry credential; what is absent stays as it is',
      access: 'api',
      params,
      body: registryCredentialUpdateSchema,
      responses: { 200: registryCredentialSchema },
      errors: [409],
      handle: ({ params: { uuid }, body }) => updateRegistryCredential(context, uuid, body),
    }),
    defineRoute({
      method: 'DELETE',
      path: item,
      operationId: 'provisioning_api_delete_registry_credential',
      tag,
      summary: 'Forget a registry credential',
      access: 'api',
      params,
      responses: { 204: null },
      handle: ({ params: { uuid } }) => deleteRegistryCredential(context, uuid),
    }),
  ];
}
