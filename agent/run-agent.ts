import { describeError } from '../core/base/describe-error.ts';
import type { ErrorCode } from '../core/base/error-codes.ts';
import { ProvisionError } from '../core/base/errors.ts';
import type { AgentSettings, Hello } from '../protocol/agent-frames.ts';
import { CommandDesk, type CommandEvent } from './commands/command-desk.ts';
import type { CommandLedger } from './commands/command-ledger.ts';
import type { CommandHandlers } from './commands/command-table.ts';
import type { AgentConfig } from './config/read-agent-config.ts';
import { type HardwareOptions, hostFacts } from './hardware/collect-facts.ts';
import { collectInventory } from './hardware/collect-inventory.ts';
import { readLoad } from './hardware/read-load.ts';
import type { SetClock } from './identity/fetch-server-ca.ts';
import type { MachineIdentity } from './identity/read-identity.ts';
import { NetworkWatch } from './link/network-watch.ts';
import type { Outbox } from './link/outbox.ts';
import type { Report } from './link/outbox-frames.ts';
import { type LinkEvent, type LinkTimings, runLink } from './link/run-link.ts';
import { ServerEndpoint } from './link/server-endpoint.ts';

/** Where the agent runs. It decides nothing by itself: modes differ by the handlers they are given. */
export type AgentMode = 'installer' | 'installed';

/** What happens to an agent, for logs and screens. */
export type AgentEvent =
  | { readonly kind: 'not_enrolled'; readonly missing: readonly string[] }
  | { readonly kind: 'enrolment_invalid'; readonly message: string }
  | { readonly kind: 'clock_set'; readonly from: string; readonly to: string }
  | { readonly kind: 'settings'; readonly settings: AgentSettings }
  | LinkEvent
  | CommandEvent;

/** What a running agent offers to work that goes on beside its commands. */
export interface AgentContext {
  readonly machineUuid: string;
  readonly signal: AbortSignal;
  /** Sends a frame by way of the outbox: it arrives once, in order, also after a reconnect. */
  report(report: Report): void;
  /** Waits until the server has everything; false when that took longer. */
  flush(timeoutMs: number): Promise<boolean>;
}

export interface RunAgentOptions {
  readonly mode: AgentMode;
  readonly config: AgentConfig;
  readonly identity: MachineIdentity;
  /** The installer and the installed system supply their own. */
  readonly handlers: CommandHandlers;
  readonly outbox: Outbox;
  readonly ledger: CommandLedger;
  /** What each hello says of the system that runs. */
  readonly system: Pick<Hello, 'installed_provision_uuid' | 'root_disk'>;
  /** Runs beside the link until it ends or the agent does. */
  readonly background?: (context: AgentContext) => Promise<void>;
  /** Sets the machine's clock; null where that is not the agent's business. */
  readonly setClock: SetClock;
  /** What ends the agent instead of being tried again; the installer enrols anew after `machine_unknown`. */
  readonly endOn?: readonly ErrorCode[];
  readonly onEvent: (event: AgentEvent) => void;
  readonly signal: AbortSignal;
  readonly hardware?: HardwareOptions;
  readonly timings?: LinkTimings;
}

/**
 * Runs an enrolled agent until the signal is aborted: link, heartbeats, inventory, commands. What goes wrong with the
 * link is told and tried again; running commands go on meanwhile.
 * @throws ProvisionError what `endOn` names; `usage`, `document_invalid` for a configuration that cannot be used.
 */
export async function runAgent(options: RunAgentOptions): Promise<void> {
  const { config, outbox, onEvent } = options;
  await using endpoint = new ServerEndpoint({
    config,
    setClock: options.setClock,
    onClockSet: (from, to) => onEvent({ kind: 'clock_set', from: from.toISOString(), to: to.toISOString() }),
  });
  const desk = new CommandDesk({ handlers: options.handlers, ledger: options.ledger, outbox, onEvent });
  const ending = new AbortController();
  const signal = AbortSignal.any([options.signal, ending.signal]);
  const background = runBackground(options, signal);
  try {
    await runLink({ ...linkOptions(options, desk), endpoint, signal });
  } catch (error) {
    if (!(error instanceof ProvisionError && error.kind === 'aborted')) throw error;
  } finally {
    ending.abort();
    await Promise.all([desk.stop(), background]);
  }
}

function linkOptions(options: RunAgentOptions, desk: CommandDesk) {
  const { mode, identity, outbox, onEvent, hardware = {} } = options;
  return {
    identity,
    outbox,
    onEvent,
    endOn: options.endOn ?? [],
    network: new NetworkWatch({
      ...(hardware.interfaces === undefined ? {} : { interfaces: hardware.interfaces }),
      ...(hardware.roots?.procRoot === undefined ? {} : { procRoot: hardware.roots.procRoot }),
    }),
    ...(options.timings === undefined ? {} : { timings: options.timings }),
    helloFacts: async () => ({ boot_id: outbox.bootId, mode, ...options.system, ...(await hostFacts(hardware)) }),
    handlers: {
      heartbeat: async () => ({ mode, ...(await readLoad(hardware.roots)) }),
      inventory: async () => await collectInventory(hardware),
      onCommand: (frame: Parameters<CommandDesk['take']>[0]) => desk.take(frame),
      onSettings: (settings: AgentSettings) => onEvent({ kind: 'settings', settings }),
    },
  };
}

/** Work beside the link must not end it. */
async function runBackground(options: RunAgentOptions, signal: AbortSignal): Promise<void> {
  const { identity, outbox, onEvent } = options;
  try {
    await options.background?.({
      machineUuid: identity.machine_uuid,
      signal,
      report: (report) => void outbox.add(report),
      flush: async (timeoutMs) => await outbox.flush(timeoutMs, signal),
    });
  } catch (error) {
    if (!signal.aborted) onEvent({ kind: 'problem', message: describeError(error) });
  }
}
