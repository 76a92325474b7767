import { createInterface } from 'node:readline/promises';
import { leaveForSystem } from '../agent/boot/leave-for-system.ts';
import { type LeaveBy, rebootMachine } from '../agent/boot/reboot.ts';
import type { InstallPlan } from '../agent/provision/install-plan.ts';
import { runProvision } from '../agent/provision/run-provision.ts';
import type { ProvisionRequest } from '../agent/provision/types.ts';
import { describeError } from '../core/base/describe-error.ts';
import { ProvisionError } from '../core/base/errors.ts';
import { createLogger, silentLogger } from '../core/base/logger.ts';
import { abortOnSignals } from './abort-on-signals.ts';
import { createProgressBar } from './progress-bar.ts';

export interface ProvisionCliOptions {
  readonly checksum: string | null;
  readonly registryConfigFile: string | null;
  readonly dryRun: boolean;
  readonly yes: boolean;
  readonly json: boolean;
  readonly debug: boolean;
}

/** Connects an installation to a terminal: question, progress, `--json`, signals. */
export async function runProvisionCli(request: ProvisionRequest, options: ProvisionCliOptions): Promise<void> {
  refuseWhatIsNotBuilt(request, options);
  const canAsk = process.stdin.isTTY === true && process.stderr.isTTY === true;
  if (!options.yes && !options.dryRun && !canAsk) {
    throw new ProvisionError(
      'confirmation_required',
      `everything on ${request.disk} would be erased; say --yes to allow it without a question`,
    );
  }
  const signal = abortOnSignals();
  const showBar = createProgressBar(process.stderr);
  try {
    const installed = await runProvision({
      request,
      log: options.debug ? createLogger('debug') : silentLogger,
      signal,
      onEvent: (event) => {
        if (options.json) process.stdout.write(`${JSON.stringify(event)}\n`);
        else showBar(event);
      },
      onPlan: async (plan) => {
        if (!options.json && (options.dryRun || !options.yes))
          printPlan(plan, options.dryRun ? process.stdout : process.stderr);
        if (options.dryRun) return 'stop';
        if (!options.yes) await askToErase(plan.diskFacts.path, signal);
        return 'go';
      },
    });
    const how = installed?.leaveBy ?? null;
    if (how !== null) await goThere(how, signal);
  } catch (error) {
    // The last event told everything already, on stdout or in the progress bar's last line.
    if (error instanceof ProvisionError && !(options.json && error.kind === 'bug')) error.reported = true;
    throw error;
  }
}

/** The last event was that of success, and stays the last: what goes wrong now is told on stderr. */
async function goThere(how: LeaveBy, signal: AbortSignal): Promise<void> {
  const tell = (text: string): void => void process.stderr.write(`durantic: ${text}\n`);
  try {
    const leave = async (by: LeaveBy): Promise<void> => await rebootMachine({ how: by, signal });
    await leaveForSystem({ how, leave, onFallback: tell, signal });
  } catch (error) {
    tell(`${describeError(error)}${error instanceof ProvisionError ? ` [${error.code}]` : ''}`);
    throw error;
  }
}

function refuseWhatIsNotBuilt(request: ProvisionRequest, options: ProvisionCliOptions): void {
  if (/^https?:\/\//.test(request.image) || options.checksum !== null) {
    throw new ProvisionError('not_implemented', 'raw disks by URL are not supported in this version; use an OCI image');
  }
  if (options.registryConfigFile !== null) {
    throw new ProvisionError(
      'not_implemented',
      'registry credentials are not supported in this version; the registry must allow anonymous pulls',
    );
  }
}

function printPlan(plan: InstallPlan, output: NodeJS.WritableStream): void {
  for (const line of plan.lines) output.write(`${line}\n`);
}

async function askToErase(disk: string, signal: AbortSignal): Promise<void> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question(`Everything on ${disk} will be erased. Type yes to go on: `, { signal });
    if (answer.trim() !== 'yes') throw new ProvisionError('aborted', 'the answer was not yes');
  } finally {
    prompt.close();
  }
}
