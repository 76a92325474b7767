import { join } from 'node:path';
import type { Logger } from '../core/base/logger.ts';
import { takeAgentLock } from './config/agent-lock.ts';
import { awaitEnrolment } from './config/await-enrolment.ts';
import { type AgentEvent, runAgent } from './run-agent.ts';

export interface InstalledAgentOptions {
  /** `/etc/durantic/agent.yaml` */
  readonly configFile: string;
  /** `/var/lib/durantic` */
  readonly stateDir: string;
  /** `/run/durantic` */
  readonly runDir: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly pollMs?: number;
}

/**
 * The daemon on an installed machine: takes the lock, waits for enrolment, runs the agent. Returns when the signal is
 * aborted; whatever is wrong with the files is told and waited out.
 * @throws ProvisionError `already_running`, `permission`.
 */
export async function runInstalledAgent(options: InstalledAgentOptions): Promise<void> {
  const { configFile, log, signal } = options;
  using _lock = takeAgentLock(options.runDir);
  const onEvent = (event: AgentEvent): void => logEvent(log, event);
  const identityFile = join(options.stateDir, 'identity.json');
  const poll = options.pollMs === undefined ? {} : { pollMs: options.pollMs };
  const enrolment = await awaitEnrolment({ configFile, identityFile, onEvent, signal, ...poll });
  if (enrolment === null) return;
  await runAgent({ mode: 'installed', ...enrolment, handlers: {}, onEvent, signal });
}

function logEvent(log: Logger, event: AgentEvent): void {
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
    case 'link_unavailable':
      log.warn(
        { event: event.kind, machine_uuid: event.machineUuid, server: event.server },
        'this version of the agent has no link to a server: the configuration is valid, nothing else is done',
      );
  }
}
