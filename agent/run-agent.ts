import type { AgentConfig } from './config/read-agent-config.ts';
import type { MachineIdentity } from './identity/read-identity.ts';

/** Where the agent runs. It decides nothing by itself: modes differ by the handlers they are given. */
export type AgentMode = 'installer' | 'installed';

/** What happens to an agent, for logs and screens. */
export type AgentEvent =
  | { readonly kind: 'not_enrolled'; readonly missing: readonly string[] }
  | { readonly kind: 'enrolment_invalid'; readonly message: string }
  | { readonly kind: 'link_unavailable'; readonly machineUuid: string; readonly server: string };

/** Carries out one command of the server. */
export type CommandHandler = (args: unknown, options: { readonly signal: AbortSignal }) => Promise<void>;

export interface RunAgentOptions {
  readonly mode: AgentMode;
  readonly config: AgentConfig;
  readonly identity: MachineIdentity;
  /** Command name → handler; the installer and the installed system supply their own. */
  readonly handlers: Readonly<Record<string, CommandHandler>>;
  readonly onEvent: (event: AgentEvent) => void;
  readonly signal: AbortSignal;
}

/**
 * Runs an enrolled agent until the signal is aborted. This version has no link to a server: it says so once, takes no
 * command, and stays, so that the service neither fails nor restarts.
 */
export async function runAgent(options: RunAgentOptions): Promise<void> {
  const { config, identity, onEvent, signal } = options;
  if (signal.aborted) return;
  onEvent({ kind: 'link_unavailable', machineUuid: identity.machine_uuid, server: config.server });
  await untilAborted(signal);
}

/** Holds the process: a signal's listener alone does not keep Node's event loop alive. */
async function untilAborted(signal: AbortSignal): Promise<void> {
  const longestTimerMs = 2 ** 31 - 1;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => undefined, longestTimerMs);
    signal.addEventListener(
      'abort',
      () => {
        clearInterval(timer);
        resolve();
      },
      { once: true },
    );
  });
}
