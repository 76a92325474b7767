import type { Server } from 'node:http';
import { type ServerOptions, WebSocketServer } from 'ws';
import { closeCodes, maxFrameBytes } from '../../protocol/agent-frames.ts';
import type { ServerContext } from '../context.ts';
import type { AgentHub, CommandQueue } from '../services.ts';
import { AgentConnection } from './agent-connection.ts';
import { LiveAgents } from './agent-hub.ts';
import { type AgentLimits, type AgentTiming, agentLimits, agentTiming } from './agent-limits.ts';
import type { AgentServices, AgentSource } from './agent-services.ts';
import { attachAgentSockets } from './attach-agent-sockets.ts';
import { StoredCommandQueue } from './command-queue.ts';
import { GroupCommit } from './group-commit.ts';
import { HeldCommands } from './held-commands.ts';
import { LastSeen } from './last-seen.ts';
import { WaitingSockets } from './waiting-sockets.ts';

export interface AgentHubOptions extends AgentSource {
  readonly timing?: Partial<AgentTiming>;
  readonly limits?: Partial<AgentLimits>;
}

export interface AgentSockets {
  readonly hub: AgentHub;
  readonly commands: CommandQueue;
  /** Takes over the upgrades of a server; may be called for several. */
  attach(server: Server): void;
  /** Closes all sockets with 1001 and writes what is in memory; afterwards nothing touches the database. */
  close(): Promise<void>;
  /** For metrics: machines with a live socket, sockets that have not said hello. */
  counts(): { readonly connected: number; readonly waiting: number };
}

/**
 * Makes the agents' side of a server. `listeners` and `buildProvisionArgs` are read from `source` at each use, so that
 * they may be set after this call, before the first agent comes.
 */
export function createAgentHub(context: ServerContext, source: AgentHubOptions): AgentSockets {
  const timing = { ...agentTiming, ...source.timing };
  const limits = { ...agentLimits, ...source.limits };
  const commits = new GroupCommit(context.db, context.log);
  const lastSeen = new LastSeen(context);
  const queue = new StoredCommandQueue(context, {
    get listeners() {
      return source.listeners;
    },
    onDue: (machineUuid) => hub.deliverSoon(machineUuid),
  });
  const held = new HeldCommands({ queue, commits, patienceMs: timing.cancelMs });
  const base = { context, source, commits, lastSeen, queue, held, timing, limits };
  const hub: LiveAgents = new LiveAgents(base);
  const waiting = new WaitingSockets(limits);
  const leaving = new WeakMap<AgentConnection, () => void>();
  const services: AgentServices = {
    ...base,
    onLive: (connection) => {
      leaving.get(connection)?.();
      hub.onLive(connection);
    },
    onClosed: (connection) => {
      leaving.get(connection)?.();
      hub.onClosed(connection);
    },
  };
  // The types of ws do not know closeTimeout yet.
  const socketOptions: ServerOptions & { closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxFrameBytes,
    closeTimeout: timing.closeMs,
  };
  const sockets = new WebSocketServer(socketOptions);
  const sweepTimer = setInterval(() => {
    for (const connection of hub.connections) connection.sweep();
  }, timing.sweepMs);
  const flushTimer = setInterval(() => lastSeen.flush((uuid) => hub.isConnected(uuid)), timing.flushMs);
  let closing: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    clearInterval(sweepTimer);
    await closeAll(hub, timing.closeMs);
    clearInterval(flushTimer);
    // The end of each socket has left its last heartbeat there.
    commits.flush();
  };
  return {
    hub,
    commands: queue,
    attach: (server) =>
      attachAgentSockets(server, {
        sockets,
        waiting,
        helloBytes: limits.helloBytes,
        isClosing: () => closing !== undefined,
        onSocket: (ws, request, leave) => {
          const connection = new AgentConnection(ws, services, { host: request.headers.host });
          leaving.set(connection, leave);
          hub.add(connection);
          return () => connection.isAccepted;
        },
      }),
    close: () => {
      closing ??= stop();
      return closing;
    },
    counts: () => ({ connected: hub.connectedCount, waiting: waiting.total }),
  };
}

/** Says goodbye to every agent and cuts off those that do not answer in time. */
async function closeAll(hub: LiveAgents, patienceMs: number): Promise<void> {
  for (const connection of hub.connections) connection.close(closeCodes.going_away, 'the server is stopping');
  const deadlineMs = performance.now() + patienceMs;
  while (hub.connections.size > 0 && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  for (const connection of hub.connections) connection.terminate();
  while (hub.connections.size > 0) await new Promise((resolve) => setImmediate(resolve));
}
