import { stripVTControlCharacters } from 'node:util';
import type { ConsoleWriter } from '../console/console-writer.ts';
import { footerRows } from './footer-rows.ts';
import type { TerminalSize } from './terminal-size.ts';

const esc = '\x1b[';

/**
 * Brings frames onto a Linux console: only the rows that have changed, each written over what stood there, so that nothing
 * flickers and nothing scrolls.
 *
 * The kernel prints its messages wherever the cursor is, and scrolls. So the cursor rests in the footer, and the scrolling
 * region is the footer (DECSTBM, which the kernel's own output obeys): a message is to be read there until the next
 * `repaint`, and the rest of the screen stays whole.
 */
export class Painter {
  readonly #writer: ConsoleWriter;
  #size: TerminalSize;
  /** What stands on the screen; undefined where that is not known. */
  #painted: (string | undefined)[] = [];
  #isPrepared = false;

  constructor(writer: ConsoleWriter, size: TerminalSize) {
    this.#writer = writer;
    this.#size = size;
  }

  /** The terminal has another size now: everything anew. */
  resize(size: TerminalSize): void {
    this.#size = size;
    this.#isPrepared = false;
  }

  /** Takes nothing for granted any more; `isCleared` also wipes what may stand outside of the frame. */
  forget(isCleared: boolean): void {
    this.#painted = [];
    if (isCleared) this.#isPrepared = false;
  }

  paint(frame: readonly string[]): void {
    let text = '';
    if (!this.#isPrepared) {
      text = this.#prepare();
      this.#painted = [];
    }
    const next: string[] = [];
    for (let row = 0; row < this.#size.rows; row += 1) {
      const line = frame[row] ?? '';
      next.push(line);
      if (this.#painted[row] !== line) text += `${esc}${row + 1};1H${esc}0m${line}${esc}0m${this.#clearRest(line)}`;
    }
    if (text === '') return;
    // A frame that was not taken is not on the screen.
    if (this.#writer.write(`${text}${this.#rest()}`)) {
      this.#painted = next;
      this.#isPrepared = true;
    } else this.#painted = [];
  }

  /** The console as a shell or the kernel expects it, the last frame still on it. */
  release(): void {
    this.#writer.write(`${esc}r${esc}?7h${esc}${this.#size.rows};1H${esc}?25h`);
  }

  /** No blanking after ten minutes (setterm), no cursor, no wrapping, footer as the scrolling region. */
  #prepare(): string {
    return `${esc}9;0]${esc}?25l${esc}?7l${esc}0m${esc}2J${esc}${this.#footerTop};${this.#size.rows}r`;
  }

  /** After the last column the cursor is still on it, and clearing the rest of the line would take that character. */
  #clearRest(line: string): string {
    return stripVTControlCharacters(line).length < this.#size.columns ? `${esc}K` : '';
  }

  #rest(): string {
    return `${esc}${this.#footerTop};1H`;
  }

  get #footerTop(): number {
    return Math.max(1, this.#size.rows - footerRows + 1);
  }
}
