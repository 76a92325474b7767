import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

export interface BackgroundBuild {
  /** Seconds that it took and how it ended; `undefined` while it runs. */
  readonly result: () => { readonly seconds: number; readonly exitCode: number } | undefined;
  /** Ends it with all that it started, if it still runs. */
  readonly end: () => void;
}

/**
 * Starts a build beside the tests, everything that it prints in a log.
 * @param command program and arguments.
 */
export function startBackgroundBuild(command: readonly [string, ...string[]], logFile: string): BackgroundBuild {
  const startedMs = performance.now();
  const log = openSync(logFile, 'w');
  const [file, ...args] = command;
  // A group of its own, so that ending it reaches its compilers.
  const child = spawn(file, args, { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  let result: { seconds: number; exitCode: number } | undefined;
  const finish = (exitCode: number): void => {
    result ??= { seconds: (performance.now() - startedMs) / 1000, exitCode };
  };
  child.once('error', () => finish(127));
  child.once('exit', (code) => finish(code ?? 128));
  return {
    result: () => result,
    end: () => {
      try {
        if (result === undefined && child.pid !== undefined) process.kill(-child.pid, 'SIGTERM');
      } catch {
        // The group has ended by itself.
      }
    },
  };
}

/** One sentence on a build that has not come to a good end, with the last lines of its log; undefined when it has. */
export function describeBadEnd(name: string, build: BackgroundBuild, logFile: string): string | undefined {
  const result = build.result();
  if (result?.exitCode === 0) return undefined;
  const how = result === undefined ? 'was still running when the tests had ended' : `ended with ${result.exitCode}`;
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-30);
  return [`${name} ${how}:`, ...lines.map((line) => `  ${line}`)].join('\n');
}
