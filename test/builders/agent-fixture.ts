import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CommandLedger } from '../../agent/commands/command-ledger.ts';
import type { CommandHandlers } from '../../agent/commands/command-table.ts';
import type { AgentConfig } from '../../agent/config/read-agent-config.ts';
import { makeKeyPair } from '../../agent/identity/make-identity.ts';
import type { MachineIdentity } from '../../agent/identity/read-identity.ts';
import { Outbox } from '../../agent/link/outbox.ts';
import { openOutbox } from '../../agent/link/outbox-folder.ts';
import type { readServerLink } from '../../agent/reentry/server-link.ts';
import { type AgentContext, type AgentEvent, type RunAgentOptions, runAgent } from '../../agent/run-agent.ts';
import { type Resources, waitFor } from '../resources.ts';

/** Delays of a link that a test can wait for. */
export const fastTimings = { firstDelayMs: 5, longestDelayMs: 40, stepTimeoutMs: 5000, replacedMs: 300 } as const;

const rejected = { rejectedBecause: 'not in this test' };

/** Rejects everything but what is given. */
export function handlersOf(given: Partial<CommandHandlers> = {}): CommandHandlers {
  return {
    ProvisionMachine: rejected,
    CancelProvision: rejected,
    BootInstalledSystem: rejected,
    EnterInstaller: rejected,
    Reboot: rejected,
    PowerOff: rejected,
    UpdateAgent: rejected,
    CollectLogs: rejected,
    ...given,
  };
}

/** In place of the link to the server, which is on this machine in a test: with that no machine enters the installer. */
export const noLink: typeof readServerLink = async () => ({
  ...{ interface: null, vlan: null, addresses: [], nameservers: [] },
});

export function newIdentity(): MachineIdentity {
  return { machine_uuid: randomUUID(), ...makeKeyPair() };
}

export interface RunningAgent {
  readonly events: AgentEvent[];
  readonly context: AgentContext;
  readonly outbox: Outbox;
  /** Aborts and waits for the end. */
  stop(): Promise<void>;
  /** Settles with the agent. */
  readonly ended: Promise<void>;
  /** Waits for an event of a kind, the first or the one with this number. */
  event<K extends AgentEvent['kind']>(kind: K, count?: number): Promise<Extract<AgentEvent, { kind: K }>>;
}

export interface StartAgentOptions extends Partial<RunAgentOptions> {
  readonly config: AgentConfig;
  /** Keeps outbox and ledger on disk. */
  readonly stateDir?: string;
  readonly bootId?: string;
}

/** An agent in this process that runs until the test ends or `stop`. */
export async function startAgent(resources: Resources, options: StartAgentOptions): Promise<RunningAgent> {
  const { stateDir, bootId = randomUUID(), ...rest } = options;
  const controller = new AbortController();
  const events: AgentEvent[] = [];
  const onEvent = (event: AgentEvent): void => {
    events.push(event);
  };
  const onProblem = (error: Error): void => onEvent({ kind: 'problem', message: error.message });
  if (stateDir !== undefined) mkdirSync(stateDir, { recursive: true });
  const outbox =
    rest.outbox ??
    (stateDir === undefined
      ? new Outbox({ bootId })
      : openOutbox({ dir: join(stateDir, 'outbox'), bootId, onProblem }));
  const path = stateDir === undefined ? null : join(stateDir, 'commands.json');
  let context: AgentContext | undefined;
  const ended = runAgent({
    mode: 'installed',
    identity: newIdentity(),
    handlers: handlersOf(),
    ledger: new CommandLedger({ path, onProblem }),
    system: { installed_provision_uuid: null, root_disk: null },
    setClock: null,
    timings: fastTimings,
    onEvent,
    signal: controller.signal,
    ...rest,
    outbox,
    background: async (given) => {
      context = given;
      await rest.background?.(given);
    },
  });
  // Whoever stops it sees how it ended; until then nobody listens.
  ended.catch(() => undefined);
  const stop = async (): Promise<void> => {
    controller.abort();
    await ended.catch(() => undefined);
  };
  resources.defer('stop an agent', stop);
  const ready = await waitFor('the agent to start', () => context, { timeoutMs: 10_000, intervalMs: 1 });
  return {
    events,
    context: ready,
    outbox,
    stop,
    ended,
    event: async (kind, count = 1) =>
      await waitFor(
        `event ${count} ${kind}`,
        () =>
          events.filter((event): event is Extract<AgentEvent, { kind: typeof kind }> => event.kind === kind)[count - 1],
        { timeoutMs: 20_000, intervalMs: 2 },
      ),
  };
}
