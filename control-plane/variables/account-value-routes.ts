import { z } from 'zod';
import {
  createSecretSchema,
  createVariableSchema,
  secretSchema,
  updateSecretSchema,
  updateVariableSchema,
  variableSchema,
} from '../../protocol/api/account-values.ts';
import type { ServerContext } from '../context.ts';
import { defineRoute, type Route } from '../http/route.ts';
import {
  type AccountValueKind,
  createAccountValue,
  deleteAccountValue,
  getAccountValue,
  listAccountValues,
  updateAccountValue,
} from './store-account-value.ts';

const params = z.object({ uuid: z.uuid() });

const groups = {
  variable: {
    tag: 'Variables',
    path: '/api/controlplane/variables/',
    schemas: { create: createVariableSchema, update: updateVariableSchema, answer: variableSchema },
    note: '',
  },
  secret: {
    tag: 'Secrets',
    path: '/api/controlplane/secrets/',
    schemas: { create: createSecretSchema, update: updateSecretSchema, answer: secretSchema },
    note: '; the value never comes back',
  },
} as const;

/** Variables of the account, `vars.NAME` in templates. */
export function variableRoutes(context: ServerContext): Route[] {
  return accountValueRoutes(context, 'variable');
}

/** Secrets of the account, `secrets.NAME` in templates; they are sealed in the database. */
export function secretRoutes(context: ServerContext): Route[] {
  return accountValueRoutes(context, 'secret');
}

function accountValueRoutes(context: ServerContext, kind: AccountValueKind): Route[] {
  const { tag, path, schemas, note } = groups[kind];
  const item = `${path}{uuid}`;
  return [
    defineRoute({
      method: 'GET',
      path,
      operationId: `controlplane_api_list_account_${kind}s`,
      tag,
      summary: `List ${kind}s${kind === 'secret' ? ', without their values' : ''}`,
      access: 'api',
      responses: { 200: z.array(schemas.answer) },
      handle: () => listAccountValues(context, kind),
    }),
    defineRoute({
      method: 'POST',
      path,
      operationId: `controlplane_api_create_account_${kind}`,
      tag,
      summary: `Make a ${kind}${note}`,
      access: 'api',
      body: schemas.create,
      responses: { 201: schemas.answer },
      errors: [409],
      handle: ({ body }) => createAccountValue(context, kind, body),
    }),
    defineRoute({
      method: 'GET',
      path: item,
      operationId: `controlplane_api_get_account_${kind}`,
      tag,
      summary: `Get a ${kind}${kind === 'secret' ? ', without its value' : ''}`,
      access: 'api',
      params,
      responses: { 200: schemas.answer },
      handle: ({ params: { uuid } }) => getAccountValue(context, kind, uuid),
    }),
    defineRoute({
      method: 'PATCH',
      path: item,
      operationId: `controlplane_api_update_account_${kind}`,
      tag,
      summary: `Change a ${kind}; what is absent stays as it is`,
      access: 'api',
      params,
      body: schemas.update,
      responses: { 200: schemas.answer },
      errors: [409],
      handle: ({ params: { uuid }, body }) => updateAccountValue(context, kind, uuid, body),
    }),
    defineRoute({
      method: 'DELETE',
      path: item,
      operationId: `controlplane_api_delete_account_${kind}`,
      tag,
      summary: `Delete a ${kind}; roles that use it will not render`,
      access: 'api',
      params,
      responses: { 204: null },
      handle: ({ params: { uuid } }) => deleteAccountValue(context, kind, uuid),
    }),
  ];
}
