import { Writable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pino } from 'pino';
import type { Logger } from '../../core/base/logger.ts';
import type { Resources } from '../resources.ts';

/** What must not happen to a process however it is treated. */
export interface WatchedProcess {
  /** Give it to what is tested: its errors are kept. */
  readonly log: Logger;
  /** Logged errors, uncaught exceptions and unhandled rejections. */
  readonly failures: string[];
}

/** Collects, until the test ends, what is logged as an error and what nobody caught. */
export function watchProcess(resources: Resources): WatchedProcess {
  const failures: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      failures.push(chunk.toString());
      done();
    },
  });
  const onFailure = (error: unknown): void => {
    failures.push(error instanceof Error ? String(error.stack) : String(error));
  };
  process.on('unhandledRejection', onFailure);
  process.on('uncaughtException', onFailure);
  resources.defer('stop watching', () => {
    process.off('unhandledRejection', onFailure);
    process.off('uncaughtException', onFailure);
  });
  return { log: pino({ level: 'error' }, sink), failures };
}

/** Bytes that JavaScript and its buffers hold once the garbage is gone. */
export async function liveBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // Finalizers of sockets and statements run between collections.
  for (let round = 0; round < 4; round += 1) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
