import type { Provision } from '../../protocol/api/provisions.ts';
import { diskStateSentences } from '../base/disk-state-sentence.ts';
import { type ErrorCode, errorCodes } from '../base/error-codes.ts';
import { ProvisionError } from '../base/errors.ts';
import { formatDuration } from '../base/format-duration.ts';
import { plainLine } from '../base/plain-text.ts';

/** The one line for a run that has ended as completed. */
export function completedLine(run: Provision, hostname: string): string {
  const from = Date.parse(run.created_at);
  const seconds = run.completed_at === null ? 0 : (Date.parse(run.completed_at) - from) / 1000;
  return plainLine(
    `${hostname} is ${run.status}: ${run.current_message} (${formatDuration(seconds)}, run ${run.uuid})`,
  );
}

/** What a person can do now, as lines. */
export function adviceLines(run: Provision): string[] {
  const disk = run.disk_state === null ? [] : [diskStateSentences[run.disk_state]];
  const code = run.error_code === null ? [] : [`docs/errors.md says what to do about ${plainLine(run.error_code)}.`];
  const history = `"durantic server events ${run.machine_uuid} ${run.uuid}" prints the history of the run.`;
  return [...disk, ...code, history];
}

/** A run that has ended otherwise, as an error with the run's own code where it is one of docs/errors.md. */
export function runError(run: Provision, hostname: string): ProvisionError {
  const ownCode = run.error_code ?? run.status;
  const why = plainLine(run.error_message === '' ? run.current_message : run.error_message);
  const facts = { provision_uuid: run.uuid, status: run.status, code: ownCode };
  if (isErrorCode(ownCode)) {
    return new ProvisionError(ownCode, `the run of ${hostname} ended as ${run.status}: ${why}`, { facts });
  }
  const message = `the run of ${hostname} ended as ${run.status} (${plainLine(ownCode)}): ${why}`;
  return new ProvisionError('run_not_completed', message, { facts });
}

function isErrorCode(code: string): code is ErrorCode {
  // A defect there is none here.
  return Object.hasOwn(errorCodes, code) && code !== 'invariant';
}
