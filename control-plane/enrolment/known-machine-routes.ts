import { z } from 'zod';
import {
  adoptedSchema,
  adoptSchema,
  installMarkCreateSchema,
  installMarkSchema,
  knownMachineCreateSchema,
  knownMachineSchema,
} from '../../protocol/api/known-machines.ts';
import type { ServerContext } from '../context.ts';
import { notFound } from '../http/api-error.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { text, textList, timeText } from '../store/row-values.ts';
import { adoptMachine } from './adopt-machine.ts';
import type { Enrolment } from './enrolment.ts';
import { markForInstall, registerKnownMachine, unmarkForInstall } from './known-machine.ts';

const tag = 'Machines';
const params = z.object({ uuid: z.uuid() });

/** Machines that are known before they enrol, marks for their network boot, and adoption. */
export function knownMachineRoutes(enrolment: Enrolment): Route[] {
  const { context } = enrolment;
  return [
    defineRoute({
      method: 'POST',
      path: '/api/provisioning/known-machines/',
      operationId: 'provisioning_api_register_known_machine',
      tag,
      summary: 'Register a machine by its MAC addresses before it is there',
      access: 'api',
      body: knownMachineCreateSchema,
      responses: { 201: knownMachineSchema },
      errors: [409],
      handle: ({ body }) => {
        const macs = [...new Set([...(body.mac === undefined ? [] : [body.mac]), ...body.macs])];
        return readKnownMachine(context, registerKnownMachine(context, { macs, hostname: body.hostname ?? null }));
      },
    }),
    ...installMarkRoutes(context),
    defineRoute({
      method: 'POST',
      path: '/api/provisioning/machines/{uuid}/adopt',
      operationId: 'provisioning_api_adopt_machine',
      tag,
      summary: 'Give this machine the key of another record, which disappears: they are the same machine',
      access: 'api',
      params,
      body: adoptSchema,
      responses: { 200: adoptedSchema },
      errors: [404, 409],
      handle: async ({ params, body }) => {
        await adoptMachine(enrolment, { machineUuid: params.uuid, fromUuid: body.from });
        return { machine_uuid: params.uuid };
      },
    }),
  ];
}

function installMarkRoutes(context: ServerContext): Route[] {
  const path = '/api/provisioning/machines/{uuid}/install-mark';
  return [
    defineRoute({
      method: 'POST',
      path,
      operationId: 'provisioning_api_mark_machine_for_install',
      tag,
      summary: 'Give the installer to the next network boot of a machine, and a single-use token with it',
      access: 'api',
      params,
      body: installMarkCreateSchema,
      responses: { 200: installMarkSchema },
      errors: [404],
      handle: ({ params, body }) => {
        const untilMs = context.clock.now() + body.minutes * 60_000;
        markForInstall(context, params.uuid, untilMs);
        return { machine_uuid: params.uuid, install_until: timeText(untilMs) };
      },
    }),
    defineRoute({
      method: 'DELETE',
      path,
      operationId: 'provisioning_api_unmark_machine_for_install',
      tag,
      summary: 'Take the mark back: the next network boot starts the local disk, and unused tokens are void',
      access: 'api',
      params,
      responses: { 204: null },
      errors: [404],
      handle: ({ params }) => unmarkForInstall(context, params.uuid),
    }),
  ];
}

function readKnownMachine({ db }: ServerContext, machineUuid: string): z.infer<typeof knownMachineSchema> {
  const row = db.prepare('SELECT hostname, macs, created_at FROM machines WHERE uuid = ?').get(machineUuid);
  if (row === undefined) throw notFound(`machine ${machineUuid}`);
  return {
    uuid: machineUuid,
    hostname: text(row, 'hostname'),
    macs: textList(row, 'macs'),
    created_at: text(row, 'created_at'),
  };
}
