import { pino } from 'pino';
import type { Logger, LogLevel } from '../../core/base/logger.ts';

export type LogLine = Readonly<Record<string, unknown>> & { readonly level: number; readonly msg: string };

/** A logger whose lines a test can look at. */
export function collectingLogger(level: LogLevel = 'debug'): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const write = (text: string): void => {
    lines.push(JSON.parse(text) as LogLine);
  };
  return { log: pino({ level, base: undefined }, { write }), lines };
}
