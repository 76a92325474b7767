import { uptime } from 'node:os';
import { basename, join } from 'node:path';
import { describeError } from '../../core/base/describe-error.ts';
import type { InstallerEvent } from '../state/installer-events.ts';
import { type InstallerState, initialInstallerState, reduceInstaller } from '../state/installer-state.ts';
import type { DisplayClock } from './describe.ts';
import { type ConsoleChoice, type ConsoleRoots, findConsoles, systemRoots } from './find-consoles.ts';

/** One console: is given the facts whenever they change, and the event that changed them. */
export interface ConsoleSink extends Disposable {
  show(state: InstallerState, event: InstallerEvent): void;
}

/** Everything that a person at the machine sees. Never throws, never waits for a console. */
export interface Display extends AsyncDisposable {
  show(event: InstallerEvent): void;
}

export interface DisplayOptions {
  /** `durantic.console=`. */
  readonly choice: ConsoleChoice;
  /** Somebody has answered the question, on whichever console: the text without blanks around it. */
  readonly onAnswer: (text: string) => void;
  readonly signal: AbortSignal;
  readonly roots?: ConsoleRoots;
  readonly clock?: () => DisplayClock;
}

/**
 * Opens the machine's consoles: screens on the display, plain lines on serial lines. The first frame is on the display when
 * this resolves. A console that cannot be opened is left out, and the others say so. Ends with the signal, or when it is
 * disposed of; the last frame stays.
 */
export async function openDisplay(options: DisplayOptions): Promise<Display> {
  const { choice, onAnswer, signal, roots = systemRoots, clock = systemClock } = options;
  const found = findConsoles(choice, roots);
  const notes = [...found.notes];
  const sinks: ConsoleSink[] = [];
  const open = async (name: string, opener: (path: string) => Promise<ConsoleSink>): Promise<void> => {
    try {
      sinks.push(await opener(join(roots.dev, name)));
    } catch (error) {
      notes.push(`the console ${name} cannot be used: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const { screen } = found;
  if (screen !== null) {
    await open(screen, async (path) => (await import('../tui/open-screen.ts')).openScreen({ path, onAnswer, clock }));
  }
  for (const { name, speedBaud } of found.serial) {
    await open(name, async (path) => {
      if (speedBaud !== null) await setSpeed(path, speedBaud, notes);
      return (await import('./serial-console.ts')).openSerialConsole({ path, onAnswer, clock });
    });
  }
  const display = new ConsoleDisplay(sinks);
  for (const text of notes) display.show({ kind: 'notice', text });
  if (signal.aborted) display.close();
  else signal.addEventListener('abort', () => display.close(), { once: true });
  return display;
}

/** A line that cannot be set up may be right as it is. */
async function setSpeed(path: string, speedBaud: number, notes: string[]): Promise<void> {
  const { setUpLine } = await import('./set-up-line.ts');
  try {
    await setUpLine(path, speedBaud);
  } catch (error) {
    notes.push(`the console ${basename(path)} cannot be set to ${speedBaud} baud: ${describeError(error)}`);
  }
}

function systemClock(): DisplayClock {
  return { nowMs: Date.now(), uptimeSeconds: uptime() };
}

class ConsoleDisplay implements Display {
  #sinks: readonly ConsoleSink[];
  #state: InstallerState = initialInstallerState;

  constructor(sinks: readonly ConsoleSink[]) {
    this.#sinks = sinks;
  }

  show(event: InstallerEvent): void {
    this.#state = reduceInstaller(this.#state, event);
    for (const sink of this.#sinks) this.#try(sink, () => sink.show(this.#state, event));
  }

  close(): void {
    const sinks = this.#sinks;
    this.#sinks = [];
    for (const sink of sinks) this.#try(sink, () => sink[Symbol.dispose]());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** A console that fails is a console less, not an installer less. */
  #try(sink: ConsoleSink, call: () => void): void {
    try {
      call();
    } catch {
      this.#sinks = this.#sinks.filter((other) => other !== sink);
    }
  }
}
