import type { InstallerEvent } from '../state/installer-events.ts';
import { type InstallerState, initialInstallerState } from '../state/installer-state.ts';
import { type ConsoleWriter, openConsoleWriter } from './console-writer.ts';
import type { DisplayClock } from './describe.ts';
import type { ConsoleSink } from './display.ts';
import { openKeyboard } from './keyboard.ts';
import { LineEditor } from './line-editor.ts';
import { ConsoleLines } from './lines.ts';

export interface SerialConsoleOptions {
  /** The line's device. */
  readonly path: string;
  readonly onAnswer: (text: string) => void;
  readonly clock: () => DisplayClock;
}

const tickMs = 1000;
const newLine = '\r\n';
const helpLine = 'Press Enter to see the present state.';

/**
 * Plain lines on a serial console. Enter shows everything as it stands, for who has just connected; while a question is open,
 * what is typed is its answer.
 * @throws Error of the system when the line cannot be opened.
 */
export function openSerialConsole(options: SerialConsoleOptions): ConsoleSink {
  return new SerialSink(openConsoleWriter(options.path), options);
}

class SerialSink implements ConsoleSink {
  readonly #options: SerialConsoleOptions;
  readonly #writer: ConsoleWriter;
  readonly #keyboard: Disposable | null;
  readonly #lines = new ConsoleLines();
  readonly #editor = new LineEditor();
  readonly #ticker: NodeJS.Timeout;
  #state: InstallerState = initialInstallerState;
  /** The prompt and what was typed stand on the present line. */
  #shownInput: string | null = null;
  #isAnswered = false;
  #droppedLines = 0;

  constructor(writer: ConsoleWriter, options: SerialConsoleOptions) {
    this.#options = options;
    this.#writer = writer;
    this.#keyboard = openKeyboard(options.path, (input) => this.#typed(input));
    this.#ticker = setInterval(() => this.#printDue(), tickMs).unref();
  }

  show(state: InstallerState, event: InstallerEvent): void {
    const { question } = state;
    if (question !== this.#state.question) {
      this.#isAnswered = false;
      this.#closeInput();
      if (question === null) this.#editor.text = '';
      else this.#print(question.problem === null ? [question.prompt] : [question.problem, question.prompt]);
    }
    this.#state = state;
    this.#lines.take(event);
    this.#printDue();
    if (event.kind === 'started' && this.#keyboard !== null) this.#print([helpLine]);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#ticker);
    this.#printDue();
    this.#closeInput();
    this.#keyboard?.[Symbol.dispose]();
    this.#writer[Symbol.dispose]();
  }

  #typed(input: string): void {
    const { answer } = this.#editor.push(input);
    if (this.#state.question === null) {
      this.#editor.text = '';
      if (answer !== null) this.#print(this.#lines.all(this.#state, this.#options.clock().uptimeSeconds));
      return;
    }
    if (answer !== null && answer.trim() !== '') {
      this.#editor.text = '';
      this.#showInput(answer);
      this.#closeInput();
      this.#isAnswered = true;
      this.#options.onAnswer(answer.trim());
    }
    this.#promptAgain();
  }

  #printDue(): void {
    this.#print(this.#lines.due(this.#state, this.#options.clock().uptimeSeconds));
    this.#promptAgain();
  }

  #print(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#closeInput();
    if (this.#droppedLines > 0 && !this.#writer.isBehind) {
      const note = `(${this.#droppedLines} lines were left out: this console did not take them)`;
      if (this.#writer.write(`${note}${newLine}`)) this.#droppedLines = 0;
    }
    for (const line of lines) if (!this.#writer.write(`${line}${newLine}`)) this.#droppedLines += 1;
  }

  #promptAgain(): void {
    if (this.#state.question !== null && !this.#isAnswered) this.#showInput(this.#editor.text);
  }

  /** Writes what is new of the input line, takes back what is no longer in it: any terminal knows backspace. */
  #showInput(text: string): void {
    const before = this.#shownInput;
    const next = `> ${text}`;
    if (before === next) return;
    let common = 0;
    while (common < (before ?? '').length && before?.[common] === next[common]) common += 1;
    const back = (before ?? '').length - common;
    if (this.#writer.write(`${'\b \b'.repeat(back)}${next.slice(common)}`)) this.#shownInput = next;
  }

  #closeInput(): void {
    if (this.#shownInput === null) return;
    this.#writer.write(newLine);
    this.#shownInput = null;
  }
}
