import type { Server } from 'node:http';
import { describeError } from '../../core/base/describe-error.ts';
import { type AgentHubOptions, createAgentHub } from '../agents/create-agent-hub.ts';
import type { Services } from '../all-routes.ts';
import type { ServerContext } from '../context.ts';
import { Enrolment } from '../enrolment/enrolment.ts';
import { createProvisionService, type RegistryAccess } from '../provisions/provision-service.ts';
import { createRenderer } from '../roles/create-renderer.ts';
import type { AgentFrameListener, ProvisionService } from '../services.ts';
import { ServerMetrics } from './server-metrics.ts';

export interface ServerParts {
  readonly services: Services;
  readonly metrics: ServerMetrics;
  /** Gives agents' WebSocket upgrades of a server to the hub. */
  attachAgents(server: Server): void;
  /** Tells every agent that the server is stopping, and begins nothing new in the background. */
  leave(): Promise<void>;
  /** Ends the rest, once no request runs any more. */
  close(): Promise<void>;
}

/** How often queued runs and time-outs are looked after. */
const tickMs = 2000;

/** Puts the parts of the server together. Hub and provisions need each other; each reads the other when it is used. */
export function makeServices(context: ServerContext, registries: RegistryAccess = {}): ServerParts {
  const renderer = createRenderer(context);
  const { renderMachine, previewRoles } = renderer;
  const listeners: AgentFrameListener[] = [];
  const source: AgentHubOptions = {
    listeners,
    buildProvisionArgs: (provisionUuid) => provisions.buildArgs(provisionUuid),
  };
  const agents = createAgentHub(context, source);
  const { hub, commands } = agents;
  const provisions: ProvisionService = createProvisionService(context, {
    hub,
    commands,
    renderMachine,
    registries,
  });
  const enrolment = new Enrolment(context, {
    hub,
    onAdopted: (machineUuid) => provisions.onAdopted(machineUuid),
  });
  const metrics = new ServerMetrics(context, { agentCounts: () => agents.counts(), enrolment: enrolment.counters });
  listeners.push(provisions.listener, metrics.listener);
  const ticking = keepTicking(context, provisions);
  let leaving: Promise<unknown> | undefined;
  const leave = async (): Promise<void> => {
    clearInterval(ticking);
    leaving ??= Promise.all([provisions.close(), agents.close()]);
    await leaving;
  };
  return {
    services: { hub, commands, provisions, renderMachine, previewRoles, enrolment },
    metrics,
    attachAgents: (server) => agents.attach(server),
    leave,
    close: async () => {
      // Before provisions are waited for, which may wait for a template.
      await renderer.close();
      await leave();
    },
  };
}

function keepTicking({ log }: ServerContext, provisions: ProvisionService): NodeJS.Timeout {
  let isRunning = false;
  const tick = async (): Promise<void> => {
    if (isRunning) return;
    isRunning = true;
    try {
      await provisions.tick();
    } catch (error) {
      log.error({ error: describeError(error) }, 'the runs could not be looked after');
    } finally {
      isRunning = false;
    }
  };
  return setInterval(() => void tick(), tickMs);
}
