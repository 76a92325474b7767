import { type ConsoleWriter, openConsoleWriter } from '../console/console-writer.ts';
import type { DisplayClock } from '../console/describe.ts';
import type { ConsoleSink } from '../console/display.ts';
import { openKeyboard } from '../console/keyboard.ts';
import { LineEditor } from '../console/line-editor.ts';
import { type InstallerState, initialInstallerState } from '../state/installer-state.ts';
import { Painter } from './painter.ts';
import { plainFrame } from './plain-frame.ts';
import { terminalSize } from './terminal-size.ts';
import type { View } from './view.ts';

export interface OpenScreenOptions {
  /** The terminal's device. */
  readonly path: string;
  readonly onAnswer: (text: string) => void;
  readonly clock: () => DisplayClock;
}

type RenderFrame = typeof import('./frame.ts').renderFrame;

/** Frames are made no more often than this, and than a tenth of the processor's time allows: an installation needs it. */
const shortestFrameMs = 200;
const longestFrameMs = 2000;
const frameShare = 10;
/** Times on the screen go on, and what the kernel has printed over the footer goes away. */
const tickMs = 1000;
const ticksPerRepaint = 5;

/**
 * The screens on a virtual terminal. The first frame is drawn before this returns, without ink; ink is loaded
 * after that. Should ink ever fail, the facts go on as plain lines.
 * @throws Error of the system when the terminal cannot be opened.
 */
export function openScreen(options: OpenScreenOptions): ConsoleSink {
  const writer = openConsoleWriter(options.path);
  try {
    return new TuiScreen(writer, options);
  } catch (error) {
    writer[Symbol.dispose]();
    throw error;
  }
}

class TuiScreen implements ConsoleSink {
  readonly #options: OpenScreenOptions;
  readonly #writer: ConsoleWriter;
  readonly #painter: Painter;
  readonly #keyboard: Disposable | null;
  readonly #editor = new LineEditor();
  readonly #ticker: NodeJS.Timeout;
  #size;
  #state: InstallerState = initialInstallerState;
  #isAnswered = false;
  #renderFrame: RenderFrame | null = null;
  #note = 'loading the screens ...';
  #pending: NodeJS.Timeout | null = null;
  /** Time (of `performance`) before which no frame is made but for keys. */
  #nextFrameMs = Number.NEGATIVE_INFINITY;
  #ticks = 0;
  #isDisposed = false;

  constructor(writer: ConsoleWriter, options: OpenScreenOptions) {
    this.#options = options;
    this.#writer = writer;
    this.#size = terminalSize(options.path);
    this.#painter = new Painter(writer, this.#size);
    this.#keyboard = openKeyboard(options.path, (input) => this.#typed(input));
    this.#draw();
    this.#ticker = setInterval(() => this.#tick(), tickMs).unref();
    void this.#loadInk();
  }

  show(state: InstallerState): void {
    if (state.question !== this.#state.question) {
      this.#isAnswered = false;
      if (state.question === null) this.#editor.text = '';
    }
    this.#state = state;
    this.#schedule();
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    clearInterval(this.#ticker);
    if (this.#pending !== null) clearTimeout(this.#pending);
    this.#draw();
    this.#painter.release();
    this.#keyboard?.[Symbol.dispose]();
    this.#writer[Symbol.dispose]();
  }

  async #loadInk(): Promise<void> {
    // chalk, which ink colours with, otherwise looks at this process's own standard output.
    const before = process.env['FORCE_COLOR'];
    process.env['FORCE_COLOR'] = '1';
    try {
      ({ renderFrame: this.#renderFrame } = await import('./frame.ts'));
    } catch (error) {
      this.#note = `the screens cannot be shown: ${String(error)}`;
    } finally {
      if (before === undefined) delete process.env['FORCE_COLOR'];
      else process.env['FORCE_COLOR'] = before;
    }
    this.#schedule();
  }

  #typed(input: string): void {
    const { answer, isRedraw } = this.#editor.push(input);
    if (isRedraw) this.#painter.forget(true);
    const { question } = this.#state;
    if (question === null) this.#editor.text = '';
    else if (answer !== null && answer.trim() !== '') {
      // Stays to be corrected, should it not be taken.
      this.#editor.text = answer;
      this.#isAnswered = true;
      this.#options.onAnswer(answer.trim());
    }
    // Who types wants to see it.
    this.#nextFrameMs = Number.NEGATIVE_INFINITY;
    this.#schedule();
  }

  #tick(): void {
    this.#ticks += 1;
    if (this.#ticks % ticksPerRepaint === 0) {
      const size = terminalSize(this.#options.path);
      if (size.columns !== this.#size.columns || size.rows !== this.#size.rows) {
        this.#size = size;
        this.#painter.resize(size);
      } else this.#painter.forget(false);
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isDisposed) return;
    if (this.#pending !== null) clearTimeout(this.#pending);
    const waitMs = Math.max(0, this.#nextFrameMs - performance.now());
    this.#pending = setTimeout(() => {
      this.#pending = null;
      this.#draw();
    }, waitMs).unref();
  }

  #draw(): void {
    const startedMs = performance.now();
    const view: View = {
      ...this.#size,
      clock: this.#options.clock(),
      typed: this.#editor.text,
      isAnswered: this.#isAnswered,
    };
    this.#painter.paint(this.#frame(view));
    const endedMs = performance.now();
    const pauseMs = (endedMs - startedMs) * frameShare;
    this.#nextFrameMs = endedMs + Math.min(longestFrameMs, Math.max(shortestFrameMs, pauseMs));
  }

  #frame(view: View): readonly string[] {
    if (this.#renderFrame === null) return plainFrame(this.#state, view, this.#note);
    try {
      return this.#renderFrame(this.#state, view);
    } catch (error) {
      this.#renderFrame = null;
      this.#note = `the screens failed: ${String(error)}`;
      return plainFrame(this.#state, view, this.#note);
    }
  }
}
