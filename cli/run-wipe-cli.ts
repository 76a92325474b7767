import { createInterface } from 'node:readline/promises';
import type { DiskFacts } from '../agent/disk/types.ts';
import { wipeDisk } from '../agent/disk/wipe-disk.ts';
import { describeDisk } from '../agent/hardware/resolve-disk.ts';
import { ProvisionError } from '../core/base/errors.ts';
import { createLogger, silentLogger } from '../core/base/logger.ts';
import { abortOnSignals } from './abort-on-signals.ts';

export interface WipeCliOptions {
  readonly path: string;
  readonly yes: boolean;
  readonly json: boolean;
  readonly debug: boolean;
}

/** Connects a wipe to a terminal: question, report, signals. */
export async function runWipeCli(options: WipeCliOptions): Promise<void> {
  const canAsk = process.stdin.isTTY === true && process.stderr.isTTY === true;
  if (!options.yes && !canAsk) {
    throw new ProvisionError(
      'confirmation_required',
      `everything on ${options.path} would be erased; say --yes to allow it without a question`,
    );
  }
  const signal = abortOnSignals();
  const report = await wipeDisk({
    path: options.path,
    log: options.debug ? createLogger('debug') : silentLogger,
    signal,
    confirm: async (disk) => options.yes || (await ask(disk, signal)),
  });
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  else process.stdout.write(`${[...report.stopped, ...report.said].join('\n')}\n`);
}

async function ask(disk: DiskFacts, signal: AbortSignal): Promise<boolean> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const question = `Everything on ${describeDisk(disk)} will be erased. Type yes to go on: `;
    return (await prompt.question(question, { signal })).trim() === 'yes';
  } finally {
    prompt.close();
  }
}
