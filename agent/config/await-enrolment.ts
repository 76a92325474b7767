import { existsSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { describeError } from '../../core/base/describe-error.ts';
import { type MachineIdentity, readIdentity } from '../identity/read-identity.ts';
import type { AgentEvent } from '../run-agent.ts';
import { type AgentConfig, readAgentConfig } from './read-agent-config.ts';
import { PathWatcher } from './watch-paths.ts';

export interface AwaitEnrolmentOptions {
  readonly configFile: string;
  readonly identityFile: string;
  readonly onEvent: (event: AgentEvent) => void;
  readonly signal: AbortSignal;
  /** How often to look when nothing was noticed; default 30 s. */
  readonly pollMs?: number;
}

export interface Enrolment {
  readonly config: AgentConfig;
  readonly identity: MachineIdentity;
}

/**
 * Waits until agent.yaml and identity are both there and valid. Says once that the machine is not enrolled, and once for
 * each thing that is wrong with a file; never ends because of one. Null when the signal was aborted.
 */
export async function awaitEnrolment(options: AwaitEnrolmentOptions): Promise<Enrolment | null> {
  const { configFile, identityFile, onEvent, signal } = options;
  using watcher = new PathWatcher([configFile, identityFile], options.pollMs ?? 30_000);
  let lastProblem: string | null = null;
  let hasSaidMissing = false;
  while (!signal.aborted) {
    watcher.arm();
    try {
      const config = readAgentConfig(configFile);
      const identity = readIdentity(identityFile);
      if (config !== null && identity !== null) return { config, identity };
      lastProblem = null;
      if (!hasSaidMissing) {
        onEvent({ kind: 'not_enrolled', missing: [configFile, identityFile].filter((path) => !existsSync(path)) });
        hasSaidMissing = true;
      }
    } catch (error) {
      const problem = describeError(error);
      if (problem !== lastProblem) onEvent({ kind: 'enrolment_invalid', message: problem });
      lastProblem = problem;
    }
    await watcher.changed(signal);
  }
  return null;
}

/**
 * Returns when the files hold another valid enrolment than this one, or when the signal is aborted. A file that is gone
 * or not valid is told once and changes nothing: the machine may be reached in no other way.
 */
export async function untilEnrolmentChanges(enrolment: Enrolment, options: AwaitEnrolmentOptions): Promise<void> {
  const { configFile, identityFile, onEvent, signal } = options;
  using watcher = new PathWatcher([configFile, identityFile], options.pollMs ?? 30_000);
  let lastProblem: string | null = null;
  while (!signal.aborted) {
    watcher.arm();
    try {
      const config = readAgentConfig(configFile);
      const identity = readIdentity(identityFile);
      lastProblem = null;
      if (config !== null && identity !== null && !isDeepStrictEqual({ config, identity }, { ...enrolment })) return;
    } catch (error) {
      const problem = describeError(error);
      if (problem !== lastProblem)
        onEvent({ kind: 'problem', message: `${problem}; what was read before still counts` });
      lastProblem = problem;
    }
    await watcher.changed(signal);
  }
}
