import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type AgentHubOptions,
  type AgentSockets,
  createAgentHub,
} from '../../control-plane/agents/create-agent-hub.ts';
import type { ServerContext } from '../../control-plane/context.ts';
import type { StoredCommand } from '../../control-plane/services.ts';
import { type Resources, waitFor } from '../resources.ts';
import { testContext } from './server-context.ts';
import {
  connectTestAgent,
  insertTestMachine,
  type TestAgent,
  type TestAgentOptions,
  type TestIdentity,
} from './test-agent.ts';

export interface AgentServer {
  readonly context: ServerContext;
  readonly sockets: AgentSockets;
  readonly server: Server;
  readonly url: string;
  /** An agent of a new machine (or of the given one) that the test's resources close. */
  connect(options?: Partial<TestAgentOptions>): Promise<TestAgent>;
  newMachine(): TestIdentity;
}

export interface AgentServerOptions extends Partial<AgentHubOptions> {
  readonly context?: Partial<ServerContext>;
  /** Reuses a port, for a server that comes back. */
  readonly port?: number;
}

/** The agents' side of a server alone, on a plain HTTP listener of 127.0.0.1, with a real database. */
export async function startAgentServer(resources: Resources, options: AgentServerOptions = {}): Promise<AgentServer> {
  const server = createServer({ connectionsCheckingInterval: 50 }, (_request, response) =>
    response.writeHead(404).end(),
  );
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  resources.defer('close the listener', async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const context = testContext(resources, { publicUrls: [url], ...options.context });
  const sockets = createAgentHub(context, { listeners: [], buildProvisionArgs: () => null, ...options });
  resources.defer('close the sockets', () => sockets.close());
  sockets.attach(server);
  const newMachine = (): TestIdentity => insertTestMachine(context);
  const connect = async (agentOptions: Partial<TestAgentOptions> = {}): Promise<TestAgent> => {
    const agent = await connectTestAgent({ url, identity: agentOptions.identity ?? newMachine(), ...agentOptions });
    resources.defer('cut the agent', () => agent.cut());
    return agent;
  };
  return { context, sockets, server, url, connect, newMachine };
}

/** Waits until the command has this status. */
export async function commandIs(server: AgentServer, command: StoredCommand, status: string): Promise<StoredCommand> {
  return await waitFor(`${command.kind} to be ${status}`, () => {
    const current = server.sockets.commands.get(command.machineUuid, command.uuid);
    return current !== null && current.status === status ? current : undefined;
  });
}
