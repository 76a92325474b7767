import { z } from 'zod';
import {
  approvalBodySchema,
  approvalCreatedSchema,
  approvalStatusSchema,
  caReplySchema,
  type EnrollBody,
  enrollBodySchema,
  enrollReplySchema,
} from '../../protocol/enrolment.ts';
import { base64url32 } from '../../protocol/public-key.ts';
import { timestampOf } from '../context.ts';
import { ApiError } from '../http/api-error.ts';
import { defineRoute, type Route, StatusReply } from '../http/route.ts';
import { approvalStatus, requestApproval } from './approvals.ts';
import { openToken } from './bootstrap-token.ts';
import { claimMachine } from './claim-machine.ts';
import { type Enrolled, enrolMachine } from './enrol-machine.ts';
import type { Enrolment } from './enrolment.ts';

const tag = 'Agent';

/** What machines ask before they have a socket. */
export function agentRoutes(enrolment: Enrolment): Route[] {
  return [enrollRoute(enrolment), caRoute(enrolment), ...approvalRoutes(enrolment)];
}

function enrollRoute(enrolment: Enrolment): Route {
  const { clock } = enrolment.context;
  return defineRoute({
    method: 'POST',
    path: '/api/agent/enroll',
    operationId: 'agent_api_enroll',
    tag,
    summary: 'Enrol a machine with a token; a key that is known gets its machine again',
    access: 'public',
    body: enrollBodySchema,
    responses: { 201: enrollReplySchema, 200: enrollReplySchema },
    errors: [401, 409, 429],
    handle: async ({ body, address }) => {
      const { machineUuid, isNew } = await enrolWithToken(enrolment, body, address);
      const reply = { machine_uuid: machineUuid, server_time: timestampOf(clock) };
      return new StatusReply(isNew ? 201 : 200, reply);
    },
  });
}

async function enrolWithToken(enrolment: Enrolment, body: EnrollBody, address: string): Promise<Enrolled> {
  const opening = await openToken(enrolment.context, body.token);
  if (!opening.ok) throw enrolment.refuseToken(address, opening.reason);
  const { name, jti, machineUuid } = opening.grant;
  const request = { publicKey: body.public_key.x, facts: body.facts, address };
  if (machineUuid === null) return await enrolMachine(enrolment, { ...request, by: `a token made by ${name}` });
  return await claimMachine(enrolment, { ...request, by: 'its single-use token', machineUuid, jti });
}

function caRoute({ context }: Enrolment): Route {
  return defineRoute({
    method: 'GET',
    path: '/api/agent/ca',
    operationId: 'agent_api_ca',
    tag,
    summary: 'Give the CA of the server and the time, to whoever can check it by the pin',
    access: 'public',
    responses: { 200: caReplySchema },
    errors: [404],
    handle: () => {
      const { caCertificate, clock } = context;
      if (caCertificate === null) throw new ApiError(404, 'this server has no CA of its own');
      return { certificate: caCertificate, server_time: timestampOf(clock) };
    },
  });
}

function approvalRoutes(enrolment: Enrolment): Route[] {
  return [
    defineRoute({
      method: 'POST',
      path: '/api/agent/approvals',
      operationId: 'agent_api_request_approval',
      tag,
      summary: 'Ask for a code that an operator can let the machine in with',
      access: 'public',
      body: approvalBodySchema,
      responses: { 201: approvalCreatedSchema },
      errors: [429],
      handle: ({ body, address }) => requestApproval(enrolment, body, address),
    }),
    defineRoute({
      method: 'GET',
      path: '/api/agent/approvals/{approval_id}',
      operationId: 'agent_api_get_approval',
      tag,
      summary: 'Tell what became of a code; an id that is not known any more has expired',
      access: 'public',
      params: z.object({ approval_id: base64url32 }),
      responses: { 200: approvalStatusSchema },
      errors: [404],
      handle: ({ params }) => approvalStatus(enrolment.context, params.approval_id),
    }),
  ];
}
