import { ProvisionError } from '../../core/base/errors.ts';
import { createLogger } from '../../core/base/logger.ts';
import { describeStart } from './describe-start.ts';
import { isSettingName, type RawSettings } from './raw-settings.ts';
import { readSettings } from './read-settings.ts';
import { startServer } from './start-server.ts';

export interface RunServerOptions {
  /** Ends the server. */
  readonly signal: AbortSignal;
  /** Writes to the person who started it. */
  readonly print: (text: string) => void;
}

/** The drain takes less; whatever hangs all the same must not keep the process. */
const longestCloseMs = 4800;

/**
 * `durantic server run`: from flags to the end of the process.
 * @param flags Name of each flag that was given, without dashes, and its values.
 * @throws ProvisionError as `readSettings` and `startServer` do.
 */
export async function runServer(
  flags: ReadonlyMap<string, readonly string[]>,
  options: RunServerOptions,
): Promise<void> {
  const raw: RawSettings = new Map();
  for (const [name, values] of flags) {
    if (isSettingName(name))
      raw.set(
        name,
        values.map((text) => ({ text, where: `--${name}` })),
      );
  }
  const settings = readSettings(raw, flags.get('config')?.at(-1) ?? null);
  const log = createLogger(settings.logLevel);
  const startedMs = Date.now();
  const server = await startServer(settings, { log });
  log.info({ urls: server.context.publicUrls, duration_ms: Date.now() - startedMs }, 'the server is ready');
  options.print(describeStart(server, { dataDir: settings.dataDir }));
  await aborted(options.signal);
  log.info('the server is stopping');
  const isClosed = await Promise.race([server.close().then(() => true), afterMs(longestCloseMs)]);
  if (isClosed) return log.info('the server has stopped');
  // What hangs would keep the process although nobody waits for it any more.
  setTimeout(() => process.exit(), 100);
  throw new ProvisionError('invariant', 'the server did not stop in time');
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

async function afterMs(milliseconds: number): Promise<false> {
  return await new Promise((resolve) => setTimeout(() => resolve(false), milliseconds).unref());
}
