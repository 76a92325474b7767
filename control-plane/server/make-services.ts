import type { Server } from 'node:http';
import { ProvisionError } from '../../core/base/errors.ts';
import type { Services } from '../all-routes.ts';
import type { ServerContext } from '../context.ts';
import { Enrolment } from '../enrolment/enrolment.ts';
import { ServerMetrics } from './server-metrics.ts';

export interface ServerParts {
  readonly services: Services;
  readonly metrics: ServerMetrics;
  /** Tells every agent that the server is stopping. */
  sendAgentsAway(): void;
  /** Ends what runs in the background. */
  close(): Promise<void>;
}

/** Puts the parts of the server together. @param server Gets the agents' WebSocket upgrade. */
export function makeServices(context: ServerContext, _server: Server): ServerParts {
  const missing = (): never => {
    throw new ProvisionError('not_implemented', 'this part of the server is not there yet');
  };
  const parts: Omit<Services, 'enrolment'> = {
    hub: {
      isConnected: () => false,
      send: () => false,
      answersPing: async () => false,
      disconnect: () => undefined,
      lastSeenAt: () => null,
      pushConfig: () => undefined,
    },
    commands: { enqueue: missing, get: () => null, list: () => [], cancel: () => false },
    provisions: {
      listener: {},
      buildArgs: () => null,
      tick: async () => undefined,
      queue: missing,
      cancel: missing,
      clear: missing,
      discover: missing,
      onAdopted: () => undefined,
      settled: async () => undefined,
      close: async () => undefined,
    },
    renderMachine: missing,
  };
  const enrolment = new Enrolment(context, {
    hub: parts.hub,
    onAdopted: (machineUuid) => parts.provisions.onAdopted(machineUuid),
  });
  const services: Services = { ...parts, enrolment };
  return {
    services,
    metrics: new ServerMetrics(context, () => 0),
    sendAgentsAway: () => undefined,
    close: async () => undefined,
  };
}
