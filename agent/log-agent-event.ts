import type { Logger } from '../core/base/logger.ts';
import type { AgentEvent } from './run-agent.ts';

/** Writes one event of an agent to a log; what repeats itself is told once. */
export function logAgentEvent(log: Logger, event: AgentEvent): void {
  switch (event.kind) {
    case 'not_enrolled':
      log.warn(
        { event: event.kind, missing: event.missing },
        `not enrolled: waiting for ${event.missing.join(' and ')}`,
      );
      return;
    case 'enrolment_invalid':
      log.error({ event: event.kind }, `not enrolled: ${event.message}`);
      return;
    case 'clock_set':
      log.warn({ event: event.kind, from: event.from, to: event.to }, "the clock was set to the server's time");
      return;
    case 'connecting':
      log.debug({ event: event.kind, server: event.server }, 'connecting');
      return;
    case 'connected':
      log.info({ event: event.kind, server: event.server, machine_uuid: event.machineUuid }, 'connected to the server');
      return;
    case 'disconnected':
      logDisconnected(log, event);
      return;
    case 'oddity':
    case 'problem':
      log.warn({ event: event.kind }, event.message);
      return;
    case 'settings':
      log.debug({ event: event.kind, settings: event.settings }, 'the server sent its settings');
      return;
    case 'command_received':
      log.info({ event: event.kind, command_uuid: event.commandUuid, command: event.command }, 'a command came');
      return;
    case 'command_ended': {
      const facts = { command_uuid: event.commandUuid, command: event.command, state: event.state };
      log.info({ event: event.kind, ...facts, reason: event.reason }, `a command ended: ${event.state}`);
    }
  }
}

function logDisconnected(log: Logger, event: Extract<AgentEvent, { kind: 'disconnected' }>): void {
  const facts = { event: event.kind, code: event.code, retry_in_ms: event.retryInMs };
  if (event.isNew) log.warn(facts, event.message);
  else log.debug(facts, event.message);
}
