import { commandRoutes } from './agents/command-routes.ts';
import type { ServerContext } from './context.ts';
import { bootRoutes } from './downloads/boot-routes.ts';
import { downloadRoutes } from './downloads/download-routes.ts';
import type { Enrolment } from './enrolment/enrolment.ts';
import { enrolmentRoutes } from './enrolment/enrolment-routes.ts';
import type { Route } from './http/route.ts';
import { imageRoutes } from './images/image-routes.ts';
import { registryCredentialRoutes } from './images/registry-credentials/registry-credential-routes.ts';
import { liveRoutes } from './live/live-routes.ts';
import { machineRoutes } from './machines/machine-routes.ts';
import { meshNetworkRoutes } from './mesh/mesh-network-routes.ts';
import { provisionRoutes } from './provisions/provision-routes.ts';
import type { RoleRenderer } from './roles/create-renderer.ts';
import { roleRoutes } from './roles/role-routes.ts';
import type { AgentHub, CommandQueue, ProvisionService, RenderMachine } from './services.ts';
import { secretRoutes, variableRoutes } from './variables/account-value-routes.ts';

export interface Services {
  readonly hub: AgentHub;
  readonly commands: CommandQueue;
  readonly provisions: ProvisionService;
  readonly renderMachine: RenderMachine;
  readonly previewRoles: RoleRenderer['previewRoles'];
  readonly enrolment: Enrolment;
}

/** Every endpoint of the server, one line per group. VIPs, routes, route policy sets and secrets backends come here. */
export function allRoutes(context: ServerContext, services: Services): Route[] {
  return [
    ...enrolmentRoutes(services.enrolment),
    ...machineRoutes(context, services),
    ...provisionRoutes(context, services),
    ...commandRoutes(context, services),
    ...imageRoutes(context),
    ...registryCredentialRoutes(context),
    ...roleRoutes(context, services),
    ...meshNetworkRoutes(context, services),
    ...variableRoutes(context),
    ...secretRoutes(context),
    ...liveRoutes(context, services),
    ...downloadRoutes(context),
    ...bootRoutes(services.enrolment),
  ];
}
