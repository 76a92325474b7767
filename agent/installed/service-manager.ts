import { errnoOf } from '../../core/base/errors.ts';
import { native } from '../native/load-native.ts';

export interface ServiceManagerOptions {
  /** Its NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID are taken out: programs that the agent starts must not answer for it. */
  readonly env: Record<string, string | undefined>;
  /** Told once per kind of failure. */
  readonly onProblem: (message: string) => void;
  /** When what could not be sent is sent again; default 1 s. */
  readonly retryMs?: number;
}

type Lasting = 'READY' | 'STATUS' | 'STOPPING';

const longestStatusCharacters = 1000;

/**
 * What this service tells systemd (sd_notify(3)): that it runs, how it is, that its event loop turns. Without
 * NOTIFY_SOCKET nothing happens. A message that systemd does not take (it starts itself anew, say) is sent again until it
 * does, since one READY that is lost would cost the service its life.
 */
export class ServiceManager implements Disposable {
  readonly #address: string | null;
  readonly #watchdogMs: number | null;
  readonly #options: ServiceManagerOptions;
  readonly #unsent = new Map<Lasting, string>();
  readonly #told = new Set<string>();
  #retry: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;

  constructor(options: ServiceManagerOptions) {
    const { env } = options;
    this.#options = options;
    this.#address = env['NOTIFY_SOCKET'] || null;
    this.#watchdogMs = watchdogMsOf(env);
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
  }

  /** The service runs. From now on systemd hears from the event loop twice in each WatchdogSec=. */
  ready(): void {
    this.#tell('READY', '1');
    if (this.#address === null || this.#watchdogMs === null || this.#watchdog !== undefined) return;
    // A sign that cannot be sent now is worth nothing later.
    this.#watchdog = setInterval(() => this.#send('WATCHDOG=1'), this.#watchdogMs / 2).unref();
  }

  /** One sentence, shown by `systemctl status`. */
  status(sentence: string): void {
    this.#tell('STATUS', sentence.replace(/\s+/g, ' ').slice(0, longestStatusCharacters));
  }

  stopping(): void {
    this.#tell('STOPPING', '1');
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#retry);
    clearInterval(this.#watchdog);
  }

  #tell(name: Lasting, value: string): void {
    if (this.#address === null) return;
    this.#unsent.set(name, value);
    this.#flush();
  }

  #flush(): void {
    clearTimeout(this.#retry);
    const text = [...this.#unsent].map(([name, value]) => `${name}=${value}`).join('\n');
    if (this.#send(text)) this.#unsent.clear();
    else this.#retry = setTimeout(() => this.#flush(), this.#options.retryMs ?? 1000).unref();
  }

  #send(text: string): boolean {
    try {
      native.unixDatagramSend(this.#address ?? '', Buffer.from(text));
      return true;
    } catch (cause) {
      const what = errnoOf(cause) ?? (cause instanceof Error ? cause.message : String(cause));
      if (!this.#told.has(what)) this.#options.onProblem(`systemd cannot be told how the agent is: ${what}`);
      this.#told.add(what);
      return false;
    }
  }
}

/** Milliseconds of sd_watchdog_enabled(3); null when there is no watchdog, or it watches another process. */
function watchdogMsOf(env: ServiceManagerOptions['env']): number | null {
  const { WATCHDOG_USEC: microseconds = '', WATCHDOG_PID: pid } = env;
  if (pid !== undefined && pid !== String(process.pid)) return null;
  if (!/^[1-9][0-9]{0,15}$/.test(microseconds)) return null;
  // setInterval takes no more than 2^31 - 1 ms, and this is halved.
  return Math.min(Number(microseconds) / 1000, 2 ** 31);
}
