import { execa, type Result } from 'execa';
import { abortError } from './abort.ts';
import { ProvisionError } from './errors.ts';

export interface RunCommandOptions {
  readonly signal?: AbortSignal;
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Exit codes that are no failure; default `[0]`. */
  readonly okExitCodes?: readonly number[];
  readonly timeoutMs?: number;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

const killAfterMs = 5000;
const largestOutputBytes = 16 * 1024 * 1024;

/**
 * Runs a program without a shell, `LC_ALL=C`, sbin folders in PATH. An aborted signal sends SIGTERM, then SIGKILL
 * after 5 s.
 * @throws ProvisionError `tool_missing`, `tool_failed` (facts: command, exit_code, stderr), `aborted`.
 */
export async function runCommand(
  file: string,
  args: readonly string[],
  options: RunCommandOptions = {},
): Promise<CommandResult> {
  const result = await execa(file, args, {
    ...processOptions(options),
    stripFinalNewline: false,
    maxBuffer: largestOutputBytes,
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
  });
  const exitCode = checkedExitCode(file, args, result, options);
  return { stdout: String(result.stdout), stderr: String(result.stderr), exitCode };
}

/** What every program is started with: our PATH, no translation, an end that the signal can force. */
export function processOptions(options: RunCommandOptions) {
  return {
    reject: false,
    // With it a SIGINT that we handle ourselves ends this process while a program runs (signal-exit takes our handler,
    // which `once` has removed, for none), and mounts and loop devices stay.
    cleanup: false,
    forceKillAfterDelay: killAfterMs,
    env: { ...options.env, LC_ALL: 'C', PATH: toolPath() },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
  } as const;
}

/**
 * The exit code of a program that has ended as it should.
 * @throws ProvisionError `tool_missing`, `tool_failed`, `aborted`.
 */
export function checkedExitCode(
  file: string,
  args: readonly string[],
  result: Pick<Result, 'isCanceled' | 'code' | 'exitCode' | 'timedOut' | 'signal' | 'stderr' | 'cause'>,
  options: RunCommandOptions,
): number {
  if (result.isCanceled && options.signal) throw abortError(options.signal);
  const command = [file, ...args].join(' ');
  if (result.code === 'ENOENT' && result.exitCode === undefined) {
    throw new ProvisionError('tool_missing', `the program ${file} is not installed`, { facts: { command } });
  }
  const exitCode = result.exitCode ?? 128;
  if (result.timedOut || !(options.okExitCodes ?? [0]).includes(exitCode)) {
    const stderr = String(result.stderr).trim().slice(-2000);
    const why = result.timedOut
      ? 'took too long'
      : result.signal
        ? `was ended by ${result.signal}`
        : `exited with ${exitCode}`;
    throw new ProvisionError('tool_failed', `${file} ${why}${stderr === '' ? '' : ` (${lastLine(stderr)})`}`, {
      facts: { command, exit_code: exitCode, stderr },
      cause: result.exitCode === undefined ? result.cause : undefined,
    });
  }
  return exitCode;
}

/** The PATH that tools are looked up in: the caller's, then the folders where sgdisk and mkfs live. */
export function toolPath(): string {
  return [process.env['PATH'], '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'].filter(Boolean).join(':');
}

function lastLine(text: string): string {
  return text.split('\n').at(-1)?.trim() ?? text;
}
