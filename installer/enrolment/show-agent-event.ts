import type { AgentEvent } from '../../agent/run-agent.ts';
import type { ErrorCode } from '../../core/base/error-codes.ts';
import type { Logger } from '../../core/base/logger.ts';
import type { InstallerEvent } from '../state/installer-events.ts';

export interface AgentEventTargets {
  readonly emit: (event: InstallerEvent) => void;
  readonly log: Logger;
  readonly onConnected: () => void;
  readonly onDisconnected: (cause: { code: ErrorCode; message: string; retryInMs: number }) => void;
}

/** What happens to the agent, as the installer shows it. */
export function showAgentEvent(event: AgentEvent, targets: AgentEventTargets): void {
  const { emit, log } = targets;
  switch (event.kind) {
    case 'connected':
      emit({ kind: 'connected', isConnected: true, detail: null });
      targets.onConnected();
      return;
    case 'disconnected':
      if (event.isNew) emit({ kind: 'connected', isConnected: false, detail: event.message });
      targets.onDisconnected(event);
      return;
    case 'clock_set':
      emit({ kind: 'clock_set', from: event.from, to: event.to });
      return;
    case 'command_received':
      emit({ kind: 'command', name: event.command, state: 'taken', reason: null });
      return;
    case 'command_ended':
      emit({ kind: 'command', name: event.command, state: event.state, reason: event.reason });
      return;
    case 'problem':
      emit({ kind: 'notice', text: event.message });
      return;
    case 'oddity':
      log.warn({ event: event.kind }, event.message);
      return;
    default:
      log.debug({ event: event.kind }, event.kind);
  }
}
