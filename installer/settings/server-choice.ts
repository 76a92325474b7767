import { abortError } from '../../core/base/abort.ts';
import type { ProvisionError } from '../../core/base/errors.ts';
import type { InstallerEvent } from '../state/installer-events.ts';
import { parseServerAnswer, type ServerSettings } from './server-settings.ts';

/** Where the address of the server comes from: what a person typed may be mistyped, and is asked for again. */
export type ServerOrigin = 'settings' | 'answer';

const prompt = 'Address of the durantic server (host, host:port or https://host:port, then a space and its pin)';

/**
 * Which server the machine belongs to: from the settings, or from whoever sits at a console. Another answer replaces the
 * one before, for as long as the machine has not enrolled.
 */
export class ServerChoice {
  readonly #emit: (event: InstallerEvent) => void;
  readonly #waiting = new Set<() => void>();
  #current: ServerSettings | null = null;
  #origin: ServerOrigin = 'settings';
  #changing = new AbortController();
  /** Null: nobody is asked. */
  #asked: { readonly problem: string | null } | null = null;

  constructor(emit: (event: InstallerEvent) => void) {
    this.#emit = emit;
  }

  get current(): ServerSettings | null {
    return this.#current;
  }

  /** Aborted when another server takes the place of the current one. */
  get changed(): AbortSignal {
    return this.#changing.signal;
  }

  /** The server is known; the question, if there was one, is answered. */
  set(settings: ServerSettings, origin: ServerOrigin): void {
    this.#current = settings;
    this.#origin = origin;
    this.#emit({ kind: 'server', server: settings.server, pin: settings.pin });
    this.settled();
    const before = this.#changing;
    this.#changing = new AbortController();
    before.abort();
    for (const wake of this.#waiting) wake();
  }

  /** Waits for a server. @throws ProvisionError `aborted`. */
  async known(signal: AbortSignal): Promise<ServerSettings> {
    while (this.#current === null) {
      if (signal.aborted) throw abortError(signal);
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
    return this.#current;
  }

  /** Asks at the consoles, `problem` saying why the answer before was not enough. */
  ask(problem: string | null): void {
    if (this.#asked !== null && this.#asked.problem === problem) return;
    this.#asked = { problem };
    this.#emit({ kind: 'question', question: { name: 'server', prompt, problem } });
  }

  /** What somebody typed; ignored when nobody asked. */
  answer(text: string): void {
    if (this.#asked === null) return;
    const answer = parseServerAnswer(text);
    if ('problem' in answer) {
      this.ask(answer.problem);
      return;
    }
    // A token belongs to the server that it was given with, and so does a pin.
    const isSame = this.#current?.server === answer.server;
    const kept = isSame ? this.#current : null;
    this.set({ server: answer.server, pin: answer.pin ?? kept?.pin ?? null, token: kept?.token ?? null }, 'answer');
  }

  /** This stood in the way of the current server: asks again where an answer could help. */
  reconsider(error: ProvisionError): void {
    const lacksPin = error.code === 'server_untrusted' && this.#current?.pin === null;
    if (lacksPin) {
      this.ask('Its certificate is not trusted: type the address, a space and the pin, which the server has printed.');
    } else if (this.#origin === 'answer' && mistypedCodes.has(error.code)) this.ask(error.message);
  }

  /** Nobody needs to answer any more. */
  settled(): void {
    if (this.#asked === null) return;
    this.#asked = null;
    this.#emit({ kind: 'question', question: null });
  }
}

/** What a mistyped address or pin leads to. */
const mistypedCodes: ReadonlySet<string> = new Set([
  'server_unreachable',
  'server_untrusted',
  'server_pin_mismatch',
  'server_answer_invalid',
  'server_error',
]);
