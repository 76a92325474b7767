import { z } from 'zod';
import { approvalEntrySchema, approvalSchema } from '../../protocol/api/approvals.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { listApprovals } from './approvals.ts';
import { enterCode } from './decide-approval.ts';
import type { Enrolment } from './enrolment.ts';

const tag = 'Approvals';

/** The operator's side of approval codes. */
export function operatorApprovalRoutes(enrolment: Enrolment): Route[] {
  const path = '/api/provisioning/approvals/';
  return [
    defineRoute({
      method: 'GET',
      path,
      operationId: 'provisioning_api_list_approvals',
      tag,
      summary: 'List machines that wait for approval, then those of the last day that were decided; never their codes',
      access: 'api',
      responses: { 200: z.array(approvalSchema) },
      handle: () => listApprovals(enrolment.context),
    }),
    defineRoute({
      method: 'POST',
      path,
      operationId: 'provisioning_api_enter_approval_code',
      tag,
      summary: 'Enter the code that a machine shows: preview its facts, approve or deny it',
      access: 'api',
      body: approvalEntrySchema,
      responses: { 200: approvalSchema },
      errors: [404, 429],
      handle: async ({ body, accountUuid, address }) =>
        await enterCode(enrolment, { code: body.code, action: body.action, accountUuid, address }),
    }),
  ];
}
