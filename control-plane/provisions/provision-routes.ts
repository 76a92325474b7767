import { z } from 'zod';
import {
  provisionBodySchema,
  provisionHistoryEntrySchema,
  provisionReplySchema,
  provisionSchema,
} from '../../protocol/api/provisions.ts';
import type { ServerContext } from '../context.ts';
import { defineRoute, type Route } from '../http/route.ts';
import type { ProvisionService } from '../services.ts';
import { describeProvision, listProvisions } from './describe-provision.ts';
import { listHistory } from './provision-history.ts';
import type { RunOrder } from './queue-run.ts';

const tag = 'Machines';
const machine = '/api/provisioning/machines/{uuid}';
const machineParams = z.object({ uuid: z.uuid() });
const runParams = z.object({ uuid: z.uuid(), provision_uuid: z.uuid() });

/** Runs of installations: begun, watched, canceled. */
export function provisionRoutes(context: ServerContext, services: { readonly provisions: ProvisionService }): Route[] {
  const { provisions } = services;
  return [
    defineRoute({
      method: 'POST',
      path: `${machine}/provision`,
      operationId: 'provisioning_api_provision_machine',
      tag,
      summary: 'Queue an installation, send the machine into the installer, or drop what is queued',
      access: 'api',
      params: machineParams,
      body: provisionBodySchema,
      responses: { 200: provisionReplySchema },
      errors: [404, 409],
      handle: ({ params: { uuid }, body: { mode, ...order } }) => {
        const { provisionUuid, message } = modes[mode](provisions, uuid, order);
        return { provision_uuid: provisionUuid, message };
      },
    }),
    defineRoute({
      method: 'GET',
      path: `${machine}/provisions/`,
      operationId: 'provisioning_api_list_machine_provisions',
      tag,
      summary: "List a machine's runs, newest first",
      access: 'api',
      params: machineParams,
      responses: { 200: z.array(provisionSchema) },
      errors: [404],
      handle: ({ params: { uuid } }) => listProvisions(context, uuid),
    }),
    defineRoute({
      method: 'GET',
      path: `${machine}/provisions/{provision_uuid}`,
      operationId: 'provisioning_api_get_machine_provision',
      tag,
      summary: 'Get a run',
      access: 'api',
      params: runParams,
      responses: { 200: provisionSchema },
      errors: [404],
      handle: ({ params }) => describeProvision(context, params.uuid, params.provision_uuid),
    }),
    defineRoute({
      method: 'GET',
      path: `${machine}/provisions/{provision_uuid}/events`,
      operationId: 'provisioning_api_list_machine_provision_events',
      tag,
      summary: 'List the history of a run, oldest first',
      access: 'api',
      params: runParams,
      query: z.object({ after: z.coerce.number().int().nonnegative().default(0) }),
      responses: { 200: z.array(provisionHistoryEntrySchema) },
      errors: [404],
      handle: ({ params, query }) => {
        const { uuid } = describeProvision(context, params.uuid, params.provision_uuid);
        return listHistory(context.db, uuid, query.after);
      },
    }),
    defineRoute({
      method: 'POST',
      path: `${machine}/provisions/{provision_uuid}/cancel`,
      operationId: 'provisioning_api_cancel_machine_provision',
      tag,
      summary: 'End a run, or ask the machine to',
      access: 'api',
      params: runParams,
      responses: { 200: provisionSchema },
      errors: [404, 409],
      handle: ({ params }) => {
        provisions.cancel(params.uuid, params.provision_uuid);
        return describeProvision(context, params.uuid, params.provision_uuid);
      },
    }),
  ];
}

/** What each mode of the provision endpoint does. */
const modes = {
  rebuild: (provisions: ProvisionService, uuid: string, order: RunOrder) => provisions.queue(uuid, order),
  discover: (provisions: ProvisionService, uuid: string) => provisions.discover(uuid),
  clear: (provisions: ProvisionService, uuid: string) => provisions.clear(uuid),
} as const;
