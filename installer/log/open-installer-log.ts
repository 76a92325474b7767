import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { pino } from 'pino';
import type { Logger, LogLevel } from '../../core/base/logger.ts';

export interface InstallerLogOptions {
  /** `/run/durantic/installer.log` */
  readonly path: string;
  readonly level: LogLevel;
  /** The file lies in memory: beyond this its contents become `PATH.1`, in place of what was there. Default 2 MiB. */
  readonly mostBytes?: number;
}

/** The installer's log as JSON lines, 0600. What cannot be written is lost: a full memory must not end the installer. */
export function openInstallerLog({ path, level, mostBytes = 2 * 1024 * 1024 }: InstallerLogOptions): Logger {
  let sizeBytes = sizeOf(path);
  const write = (line: string): void => {
    try {
      if (sizeBytes + Buffer.byteLength(line) > mostBytes) {
        renameSync(path, `${path}.1`);
        sizeBytes = 0;
      }
      appendFileSync(path, line, { mode: 0o600 });
      sizeBytes += Buffer.byteLength(line);
    } catch {
      sizeBytes = sizeOf(path);
    }
  };
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  } catch {
    // Each line will fail in turn.
  }
  return pino({ level, base: undefined, redact: ['token', 'password', 'authorization'] }, { write });
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
