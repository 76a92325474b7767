import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  type BootstrapKeyInfo,
  type BootstrapLifetime,
  bootstrapKeySchema,
  bootstrapTokenCreateSchema,
  bootstrapTokenSchema,
  maxTokenNameLength,
} from '../../protocol/api/bootstrap.ts';
import type { ServerContext } from '../context.ts';
import { notFound } from '../http/api-error.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { nameOfApiToken } from './api-tokens.ts';
import {
  type BootstrapKey,
  issuingKey,
  readBootstrapKeys,
  retireBootstrapKey,
  rotateBootstrapKey,
} from './bootstrap-keys.ts';
import { sealToken } from './bootstrap-token.ts';
import { firstUrl, installCommand, kernelParameters } from './install-command.ts';

const tag = 'Bootstrap';
const dayMs = 24 * 60 * 60 * 1000;

const lifetimeMs: Readonly<Record<BootstrapLifetime, number>> = {
  '10m': 10 * 60 * 1000,
  '1d': dayMs,
  '7d': 7 * dayMs,
  '30d': 30 * dayMs,
  '90d': 90 * dayMs,
  '365d': 365 * dayMs,
};

/** Bootstrap tokens and the keys they are made with. */
export function bootstrapTokenRoutes(context: ServerContext): Route[] {
  return [createTokenRoute(context), ...keyRoutes(context)];
}

function createTokenRoute(context: ServerContext): Route {
  return defineRoute({
    method: 'POST',
    path: '/api/provisioning/bootstrap-tokens/',
    operationId: 'provisioning_api_create_bootstrap_token',
    tag,
    summary: 'Make a bootstrap token, with the line that installs the agent and the kernel parameters of the installer',
    access: 'api',
    body: bootstrapTokenCreateSchema,
    responses: { 201: bootstrapTokenSchema },
    handle: async ({ accountUuid, body, raw }) => {
      const name = body.name ?? (nameOfApiToken(context.db, bearerOf(raw)) ?? 'API').slice(0, maxTokenNameLength);
      const expiresAtMs = context.clock.now() + lifetimeMs[body.lifetime];
      const { token, kid } = await sealToken(context, { accountUuid, name, expiresAtMs });
      return {
        token,
        kid,
        name,
        lifetime: body.lifetime,
        expires_at: new Date(expiresAtMs).toISOString(),
        install_command: installCommand(context, token),
        kernel_parameters: kernelParameters({ server: firstUrl(context), pin: context.pin, token }).join(' '),
      };
    },
  });
}

function keyRoutes({ dataDir, clock }: ServerContext): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/api/provisioning/bootstrap-keys/',
      operationId: 'provisioning_api_list_bootstrap_keys',
      tag,
      summary: 'List the keys of bootstrap tokens',
      access: 'api',
      responses: { 200: z.array(bootstrapKeySchema) },
      handle: () => {
        const keys = readBootstrapKeys(dataDir);
        return keys.map((key) => keyInfo(key, key.kid === issuingKey(keys).kid));
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/provisioning/bootstrap-keys/',
      operationId: 'provisioning_api_rotate_bootstrap_key',
      tag,
      summary: 'Make a new key, which makes tokens from now on; tokens under the others stay valid',
      access: 'api',
      responses: { 201: bootstrapKeySchema },
      handle: () => keyInfo(rotateBootstrapKey(dataDir, clock.now()), true),
    }),
    defineRoute({
      method: 'DELETE',
      path: '/api/provisioning/bootstrap-keys/{kid}',
      operationId: 'provisioning_api_retire_bootstrap_key',
      tag,
      summary: 'Revoke every token under a key; when it is the one that makes tokens, a new key takes its place',
      access: 'api',
      params: z.object({ kid: z.string() }),
      responses: { 204: null },
      errors: [404],
      handle: ({ params }) => {
        if (!retireBootstrapKey(dataDir, params.kid, clock.now())) throw notFound(`the key ${params.kid}`);
      },
    }),
  ];
}

function keyInfo({ kid, createdAt }: BootstrapKey, isIssuing: boolean): BootstrapKeyInfo {
  return { kid, created_at: createdAt, is_issuing: isIssuing };
}

function bearerOf(request: FastifyRequest): string {
  return /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
}
