import { join } from 'node:path';
import { z } from 'zod';
import { describeError } from '../../core/base/describe-error.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { readJsonFile } from '../identity/read-json-file.ts';
import { writePrivateFile } from '../identity/write-private-file.ts';
import type { Report } from '../link/outbox-frames.ts';

export interface WatchCloudInitOptions {
  readonly provisionUuid: string;
  /** `/var/lib/durantic` */
  readonly stateDir: string;
  readonly report: (report: Report) => void;
  readonly onProblem: (message: string) => void;
  readonly signal: AbortSignal;
  /** Injectable for tests; default `cloud-init`. */
  readonly program?: string;
  /** Injectable for tests; default `/run/cloud-init/result.json`. */
  readonly resultFile?: string;
}

export interface CloudInitResult {
  readonly status: 'done' | 'error' | 'absent';
  readonly errors: string[];
}

/** `/run/cloud-init/result.json` (cloud-init, "Reported status"), which every version writes at its end. */
const resultSchema = z.object({ v1: z.object({ errors: z.array(z.string()) }) });

const notUnderstood = 'cloud-init status said nothing understandable';

const reportedSchema = z.object({ provision_uuid: z.uuid() });

/** `cloud-init status --format json`; fields that versions lack are none. */
const statusSchema = z.object({
  status: z.string(),
  errors: z.array(z.string()).default([]),
  recoverable_errors: z.record(z.string(), z.array(z.string())).default({}),
});

/**
 * Waits for the end of cloud-init and reports it, once per provision: the outbox keeps the report until the server has
 * it, and a file keeps that it was made.
 */
export async function watchCloudInit(options: WatchCloudInitOptions): Promise<void> {
  const { provisionUuid, stateDir, signal } = options;
  const reportedFile = join(stateDir, 'cloud-init-reported.json');
  try {
    if (readJsonFile(reportedFile, reportedSchema)?.provision_uuid === provisionUuid) return;
  } catch (error) {
    // Reported twice is better than never.
    options.onProblem(describeError(error));
  }
  const result = await readCloudInitResult(options);
  if (signal.aborted) return;
  options.report({ type: 'cloud_init_result', provision_uuid: provisionUuid, ...result });
  try {
    writePrivateFile(reportedFile, `${JSON.stringify({ provision_uuid: provisionUuid })}\n`);
  } catch (error) {
    options.onProblem(describeError(error));
  }
}

/** How cloud-init ended; waits for that as long as it takes. An aborted signal gives an error that nobody may use. */
async function readCloudInitResult(options: WatchCloudInitOptions): Promise<CloudInitResult> {
  const { signal, program = 'cloud-init', resultFile = '/run/cloud-init/result.json' } = options;
  // 0: done, 1: failed, 2: done with recoverable errors (cloud-init, "CLI commands", status).
  const run = async (...args: string[]): Promise<string> =>
    (await runCommand(program, ['status', '--wait', ...args], { signal, okExitCodes: [0, 1, 2] })).stdout;
  try {
    const stdout = await run('--format', 'json');
    if (stdout.trim() !== '') return parseCloudInitStatus(stdout);
    // Before 22.4 (Debian 11 has 20.4) there is no --format: it ends at once with 2 and says how it is used.
    return parsePlainStatus(await run('--long'), () => readJsonFile(resultFile, resultSchema)?.v1.errors ?? []);
  } catch (error) {
    if (error instanceof ProvisionError && error.code === 'tool_missing') return { status: 'absent', errors: [] };
    return { status: 'error', errors: [describeError(error)] };
  }
}

/** Reads what `status --long` prints: `status: done`, and more that versions write each in its own way. */
function parsePlainStatus(stdout: string, readErrors: () => string[]): CloudInitResult {
  const status = /^status: (.+)$/m.exec(stdout)?.[1];
  if (status === undefined) return { status: 'error', errors: [notUnderstood] };
  return status === 'disabled' ? { status: 'absent', errors: [] } : resultOf(status, readErrors());
}

/** Reads the JSON behind the dots that some versions print while they wait. */
export function parseCloudInitStatus(stdout: string): CloudInitResult {
  const start = stdout.indexOf('{');
  let status: z.infer<typeof statusSchema>;
  try {
    status = statusSchema.parse(JSON.parse(start === -1 ? '' : stdout.slice(start)));
  } catch {
    return { status: 'error', errors: [notUnderstood] };
  }
  // Warnings and notes on outdated keys are among the recoverable ones too, and are no failure.
  const recoverable = ['ERROR', 'CRITICAL'].flatMap((level) => status.recoverable_errors[level] ?? []);
  const errors = [...new Set([...status.errors, ...recoverable])];
  return status.status === 'disabled' ? { status: 'absent', errors: [] } : resultOf(status.status, errors);
}

function resultOf(status: string, errors: string[]): CloudInitResult {
  if (status === 'done' && errors.length === 0) return { status: 'done', errors: [] };
  return { status: 'error', errors: errors.length === 0 ? [`cloud-init ended as ${status}`] : errors };
}
