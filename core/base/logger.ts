import { type Logger as PinoLogger, pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** The methods of pino that the program uses; facts first, text second. */
export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error'>;

/** JSON lines on stderr, synchronously, so that nothing is lost when the process ends. */
export function createLogger(level: LogLevel): PinoLogger {
  return pino(
    { level, base: undefined, redact: ['token', 'password', 'authorization'] },
    pino.destination({ dest: 2, sync: true }),
  );
}

export const silentLogger: Logger = pino({ level: 'silent' });
