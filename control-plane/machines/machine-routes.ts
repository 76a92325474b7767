import { z } from 'zod';
import {
  type MachineEventEntry,
  machineEventSchema,
  machineListItemSchema,
  machineSchema,
  machineUpdateSchema,
} from '../../protocol/api/machines.ts';
import type { ServerContext } from '../context.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { findMachine } from '../provisions/queue-run.ts';
import type { AgentHub } from '../services.ts';
import { json, number, text } from '../store/row-values.ts';
import { deleteMachine } from './delete-machine.ts';
import { describeMachine, listMachines } from './describe-machine.ts';
import { updateMachine } from './update-machine.ts';

const tag = 'Machines';
const params = z.object({ uuid: z.uuid() });
const item = '/api/provisioning/machines/{uuid}';

/** Machines: listed, read, changed, forgotten; what happened to them. They come by enrolment, never by the API. */
export function machineRoutes(context: ServerContext, services: { readonly hub: AgentHub }): Route[] {
  const source = { context, hub: services.hub };
  return [
    defineRoute({
      method: 'GET',
      path: '/api/provisioning/machines/',
      operationId: 'provisioning_api_list_machines',
      tag,
      summary: 'List machines',
      access: 'api',
      responses: { 200: z.array(machineListItemSchema) },
      handle: () => listMachines(source),
    }),
    defineRoute({
      method: 'GET',
      path: item,
      operationId: 'provisioning_api_get_machine',
      tag,
      summary: 'Get a machine',
      access: 'api',
      params,
      responses: { 200: machineSchema },
      errors: [404],
      handle: ({ params: { uuid } }) => describeMachine(source, uuid),
    }),
    defineRoute({
      method: 'PATCH',
      path: item,
      operationId: 'provisioning_api_update_machine',
      tag,
      summary: 'Change a machine; what is absent stays as it is',
      access: 'api',
      params,
      body: machineUpdateSchema,
      responses: { 200: machineSchema },
      errors: [404, 409],
      handle: ({ params: { uuid }, body }) => {
        updateMachine(source, uuid, body);
        return describeMachine(source, uuid);
      },
    }),
    defineRoute({
      method: 'DELETE',
      path: item,
      operationId: 'provisioning_api_delete_machine',
      tag,
      summary: 'Forget a machine; its disk is not touched',
      access: 'api',
      params,
      responses: { 204: null },
      errors: [404, 409],
      handle: ({ params: { uuid } }) => deleteMachine(source, uuid),
    }),
    defineRoute({
      method: 'GET',
      path: `${item}/events/`,
      operationId: 'provisioning_api_list_machine_events',
      tag,
      summary: 'List what happened to a machine, oldest first',
      access: 'api',
      params,
      responses: { 200: z.array(machineEventSchema) },
      errors: [404],
      handle: ({ params: { uuid } }) => listEvents(context, uuid),
    }),
  ];
}

function listEvents(context: ServerContext, machineUuid: string): MachineEventEntry[] {
  findMachine(context, machineUuid);
  return context.db
    .prepare('SELECT id, time, kind, message, facts FROM machine_events WHERE machine_uuid = ? ORDER BY id')
    .all(machineUuid)
    .map((row) => ({
      id: number(row, 'id'),
      time: text(row, 'time'),
      kind: text(row, 'kind'),
      message: text(row, 'message'),
      facts: json(row, 'facts') as Record<string, unknown>,
    }));
}
