import { join } from 'node:path';
import { describeError } from '../core/base/describe-error.ts';
import { ProvisionError } from '../core/base/errors.ts';
import type { Logger, LogLevel } from '../core/base/logger.ts';
import { CommandLedger } from './commands/command-ledger.ts';
import { installedHandlers } from './commands/installed-handlers.ts';
import { takeAgentLock } from './config/agent-lock.ts';
import { awaitEnrolment, type Enrolment, untilEnrolmentChanges } from './config/await-enrolment.ts';
import { readBootId } from './hardware/read-load.ts';
import { readRootDisk } from './hardware/root-disk.ts';
import { type ProvisionRecord, readProvisionRecord } from './identity/provision-record.ts';
import type { ServiceManager } from './installed/service-manager.ts';
import { ServiceStatus } from './installed/service-status.ts';
import { watchCloudInit } from './installed/watch-cloud-init.ts';
import { openOutbox } from './link/outbox-folder.ts';
import { logAgentEvent } from './log-agent-event.ts';
import { takeBackReentry } from './reentry/take-back.ts';
import { type AgentEvent, runAgent } from './run-agent.ts';

export interface InstalledAgentOptions {
  /** `/etc/durantic/agent.yaml` */
  readonly configFile: string;
  /** `/var/lib/durantic` */
  readonly stateDir: string;
  /** `/run/durantic` */
  readonly runDir: string;
  readonly log: Logger;
  /** Sets the log's level to the configuration's. */
  readonly setLogLevel?: (level: LogLevel) => void;
  /** Told when the daemon runs, how it is, and when it ends. */
  readonly serviceManager?: ServiceManager;
  readonly signal: AbortSignal;
  readonly pollMs?: number;
}

/**
 * The daemon on an installed machine: takes the lock, waits for enrolment, runs the agent, and starts it anew when
 * configuration or identity change. Returns when the signal is aborted; whatever is wrong with the files is told and
 * waited out.
 * @throws ProvisionError `already_running`, `permission`.
 */
export async function runInstalledAgent(options: InstalledAgentOptions): Promise<void> {
  const { configFile, serviceManager, signal } = options;
  using _lock = takeAgentLock(options.runDir);
  const onEvent = tellerOf(options);
  // Neither an enrolment nor a server is needed to run: a machine waits for both as long as it takes.
  serviceManager?.ready();
  signal.addEventListener('abort', () => serviceManager?.stopping(), { once: true });
  const identityFile = join(options.stateDir, 'identity.json');
  const poll = options.pollMs === undefined ? {} : { pollMs: options.pollMs };
  const files = { configFile, identityFile, ...poll };
  while (!signal.aborted) {
    const enrolment = await awaitEnrolment({ ...files, onEvent, signal });
    if (enrolment === null) return;
    options.setLogLevel?.(enrolment.config.log_level ?? 'info');
    await runUntilChange({ ...options, onEvent }, enrolment, async (until) => {
      await untilEnrolmentChanges(enrolment, { ...files, onEvent, signal: until });
    });
  }
}

type TellingOptions = InstalledAgentOptions & { readonly onEvent: (event: AgentEvent) => void };

/** Log and service manager hear of the same events. */
function tellerOf({ log, serviceManager }: InstalledAgentOptions): (event: AgentEvent) => void {
  const status = new ServiceStatus();
  return (event) => {
    logAgentEvent(log, event);
    const sentence = status.take(event);
    if (sentence !== null) serviceManager?.status(sentence);
  };
}

/** Runs the agent with these files until the signal is aborted or `changed` returns. */
async function runUntilChange(
  options: TellingOptions,
  enrolment: Enrolment,
  changed: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const ending = new AbortController();
  const signal = AbortSignal.any([options.signal, ending.signal]);
  const watching = changed(signal).finally(() => ending.abort());
  try {
    await runOnce(options, enrolment, signal);
    if (!signal.aborted) await watching;
  } catch (error) {
    // A configuration that cannot be used: told, and waited for like one that does not parse.
    if (!(error instanceof ProvisionError) || error.kind !== 'input') throw error;
    options.onEvent({ kind: 'enrolment_invalid', message: describeError(error) });
    await watching;
  } finally {
    ending.abort();
    await watching;
  }
}

async function runOnce(options: TellingOptions, enrolment: Enrolment, signal: AbortSignal): Promise<void> {
  const { stateDir, runDir, log, onEvent } = options;
  // First thing: what was prepared to enter the installer holds the machine's key.
  const returned = await takeBackReentry({ stateDir, runDir, log });
  const onProblem = (error: ProvisionError): void => onEvent({ kind: 'problem', message: describeError(error) });
  const record = recordOf(stateDir, onProblem);
  const bootId = (await readBootId()) ?? 'unknown-boot';
  await runAgent({
    mode: 'installed',
    ...enrolment,
    handlers: installedHandlers({ reentry: { stateDir, runDir, log, returned, config: enrolment.config } }),
    outbox: openOutbox({ dir: join(stateDir, 'outbox'), bootId, onProblem }),
    ledger: new CommandLedger({ path: join(stateDir, 'commands.json'), onProblem }),
    system: { installed_provision_uuid: record?.provision_uuid ?? null, root_disk: await readRootDisk() },
    background: async (context) => {
      if (record === null) return;
      const { provision_uuid: provisionUuid } = record;
      const onTrouble = (message: string): void => onEvent({ kind: 'problem', message });
      await watchCloudInit({ ...context, provisionUuid, stateDir, onProblem: onTrouble });
    },
    // The system has services for its clock; two would pull it back and forth.
    setClock: null,
    onEvent,
    signal,
  });
}

function recordOf(stateDir: string, onProblem: (error: ProvisionError) => void): ProvisionRecord | null {
  try {
    return readProvisionRecord(join(stateDir, 'provision.json'));
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error;
    onProblem(error);
    return null;
  }
}
