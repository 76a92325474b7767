import type { ServerContext } from './context.ts';
import type { Route } from './http/route.ts';
import type { AgentHub, CommandQueue, ProvisionService, RenderMachine } from './services.ts';

export interface Services {
  readonly hub: AgentHub;
  readonly commands: CommandQueue;
  readonly provisions: ProvisionService;
  readonly renderMachine: RenderMachine;
}

/** Every endpoint of the server, one line per group. VIPs, routes, route policy sets and secrets backends come here. */
export function allRoutes(_context: ServerContext, _services: Services): Route[] {
  return [];
}
