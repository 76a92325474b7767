import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';

export interface MakeOptions {
  readonly sourceFolder: string;
  readonly objectFolder: string;
  readonly targets: readonly string[];
  /** Gets everything that make and the compilers print. */
  readonly logFile: string;
  readonly signal: AbortSignal;
  readonly env?: Readonly<Record<string, string>>;
}

/** What goes into every kernel in place of the machine, the user, the hour and the number of the build. */
function buildEnvironment(sourceFolder: string): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: process.env['HOME'] ?? '/',
    LC_ALL: 'C',
    TZ: 'UTC',
    // The archive gives its files the time of the release.
    KBUILD_BUILD_TIMESTAMP: statSync(`${sourceFolder}/Makefile`).mtime.toUTCString(),
    KBUILD_BUILD_USER: 'durantic',
    KBUILD_BUILD_HOST: 'durantic',
    KBUILD_BUILD_VERSION: '1',
  };
}

/** The configuration must not depend on tools that happen to be there and take no part in the build. */
const absentTools = ['RUSTC=no-rustc', 'BINDGEN=no-bindgen', 'PAHOLE=no-pahole'] as const;

/**
 * Runs the kernel's make in an environment of its own, below every other program of the machine (nice 10).
 * @throws Error with the lines of the log that say why.
 */
export async function runMake(options: MakeOptions): Promise<void> {
  const { sourceFolder, objectFolder, targets, logFile, signal } = options;
  const jobs = `-j${availableParallelism()}`;
  const args = ['-n', '10', 'make', '-C', sourceFolder, `O=${objectFolder}`, 'ARCH=x86', jobs, ...absentTools];
  const log = openSync(logFile, 'w');
  try {
    const child = spawn('nice', [...args, ...targets], {
      stdio: ['ignore', log, log],
      env: { ...buildEnvironment(sourceFolder), ...options.env },
      // A group of its own: an interrupted build must take its compilers with it.
      detached: true,
    });
    const end = (): void => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
    };
    signal.addEventListener('abort', end, { once: true });
    try {
      const code = await new Promise<number | null>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', resolve);
      });
      signal.throwIfAborted();
      if (code !== 0) throw new Error(`make ${targets.join(' ')} failed, see ${logFile}:\n${reasonsIn(logFile)}`);
    } finally {
      signal.removeEventListener('abort', end);
    }
  } finally {
    closeSync(log);
  }
}

/** The first errors of a log; with several jobs the last lines tell of others that went on. */
export function reasonsIn(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n');
  const errors = lines.filter((line) => /\berror\b|\*\*\*|not found|No space left/i.test(line));
  return (errors.length > 0 ? errors.slice(0, 20) : lines.slice(-20)).map((line) => `  ${line}`).join('\n');
}
