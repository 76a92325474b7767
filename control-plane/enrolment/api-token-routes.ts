import { z } from 'zod';
import { ProvisionError } from '../../core/base/errors.ts';
import { apiTokenCreatedSchema, apiTokenCreateSchema, apiTokenSchema } from '../../protocol/api/api-tokens.ts';
import type { ServerContext } from '../context.ts';
import { notFound } from '../http/api-error.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { transaction } from '../store/open-database.ts';
import { createApiToken, getApiToken, listApiTokens, revokeApiToken } from './api-tokens.ts';

const tag = 'ApiTokens';

/** API tokens of the account: listed by their hint, shown once, revoked at once. */
export function apiTokenRoutes(context: ServerContext): Route[] {
  const { db, clock } = context;
  return [
    defineRoute({
      method: 'GET',
      path: '/api/controlplane/api-tokens/',
      operationId: 'controlplane_api_list_api_tokens',
      tag,
      summary: 'List API tokens',
      access: 'api',
      responses: { 200: z.array(apiTokenSchema) },
      handle: ({ accountUuid }) => listApiTokens(db, accountUuid),
    }),
    defineRoute({
      method: 'POST',
      path: '/api/controlplane/api-tokens/',
      operationId: 'controlplane_api_create_api_token',
      tag,
      summary: 'Make an API token, which is shown in this answer only',
      access: 'api',
      body: apiTokenCreateSchema,
      responses: { 201: apiTokenCreatedSchema },
      handle: ({ accountUuid, body }) =>
        transaction(db, () => {
          const { uuid, token } = createApiToken(db, { accountUuid, name: body.name, nowMs: clock.now() });
          const created = getApiToken(db, accountUuid, uuid);
          if (created === null) throw new ProvisionError('invariant', 'an API token that was just made is not there');
          return { ...created, token };
        }),
    }),
    defineRoute({
      method: 'DELETE',
      path: '/api/controlplane/api-tokens/{uuid}',
      operationId: 'controlplane_api_delete_api_token',
      tag,
      summary: 'Revoke an API token',
      access: 'api',
      params: z.object({ uuid: z.uuid() }),
      responses: { 204: null },
      errors: [404],
      handle: ({ accountUuid, params }) => {
        if (!revokeApiToken(db, accountUuid, params.uuid)) throw notFound(`API token ${params.uuid}`);
      },
    }),
  ];
}
