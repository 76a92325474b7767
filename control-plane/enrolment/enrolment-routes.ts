import type { Route } from '../http/route.ts';
import { accountRoutes } from './account-routes.ts';
import { agentRoutes } from './agent-routes.ts';
import { apiTokenRoutes } from './api-token-routes.ts';
import { operatorApprovalRoutes } from './approval-routes.ts';
import { bootstrapTokenRoutes } from './bootstrap-token-routes.ts';
import type { Enrolment } from './enrolment.ts';
import { knownMachineRoutes } from './known-machine-routes.ts';

/** How machines get in, and everything that lets them: tokens, keys, codes, registered addresses, the account. */
export function enrolmentRoutes(enrolment: Enrolment): Route[] {
  const { context } = enrolment;
  return [
    ...accountRoutes(context),
    ...apiTokenRoutes(context),
    ...bootstrapTokenRoutes(context),
    ...agentRoutes(enrolment),
    ...operatorApprovalRoutes(enrolment),
    ...knownMachineRoutes(enrolment),
  ];
}
