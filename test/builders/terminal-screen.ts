const esc = '\x1b';

/** What a terminal of this size shows, as far as our programs use one (ECMA-48; xterm control sequences). */
export class TerminalScreen {
  readonly columns: number;
  readonly rows: number;
  #cells: string[][];
  /** What the alternate screen stands in front of. */
  #saved: { readonly cells: string[][]; readonly row: number; readonly column: number } | null = null;
  #row = 0;
  #column = 0;
  #rest = '';
  #wraps = true;
  /** Lines that went out at the top, and lines that were too long: a view in place has neither. */
  scrolledLines = 0;
  wrappedLines = 0;
  isCursorShown = true;
  /** The rows that scroll, from 0; the others stand. */
  region: { readonly top: number; readonly bottom: number };
  isAlternate = false;

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
    this.region = { top: 0, bottom: rows - 1 };
    this.#cells = this.#blank();
  }

  /** Where the cursor is, from 0. */
  get cursor(): { readonly row: number; readonly column: number } {
    return { row: this.#row, column: this.#column };
  }

  /** The lines as they stand, without blanks at their ends; empty ones at the bottom are left out. */
  get lines(): string[] {
    const lines = this.#cells.map((cells) => cells.join('').trimEnd());
    while (lines.at(-1) === '') lines.pop();
    return lines;
  }

  /** @throws Error for a sequence that is not known here. */
  write(text: string): void {
    let rest = this.#rest + text;
    while (rest !== '') {
      if (!rest.startsWith(esc)) {
        const character = [...rest][0] ?? '';
        this.#put(character);
        rest = rest.slice(character.length);
        continue;
      }
      const sequence = /^.\[([?>]?)([\d;]*)([@-~])/.exec(rest);
      // A sequence may be cut anywhere.
      if (sequence === null && /^.(\[[?>]?[\d;]*)?$/.test(rest)) break;
      if (sequence === null) throw new Error(`an escape sequence that is not known here: ${JSON.stringify(rest)}`);
      this.#obey(sequence[1] ?? '', sequence[2] ?? '', sequence[3] ?? '');
      rest = rest.slice(sequence[0].length);
    }
    this.#rest = rest;
  }

  #put(character: string): void {
    if (character === '\r') this.#column = 0;
    else if (character === '\b') this.#column = Math.max(0, this.#column - 1);
    else if (character === '\n') this.#nextRow();
    else if (character >= ' ') {
      if (this.#column === this.columns) {
        this.wrappedLines += 1;
        if (!this.#wraps) return;
        this.#column = 0;
        this.#nextRow();
      }
      const cells = this.#cells[this.#row];
      if (cells !== undefined) cells[this.#column] = character;
      this.#column += 1;
    }
  }

  #nextRow(): void {
    const { top, bottom } = this.region;
    if (this.#row !== bottom) {
      this.#row = Math.min(this.#row + 1, this.rows - 1);
      return;
    }
    this.#cells.splice(top, 1);
    this.#cells.splice(bottom, 0, this.#blankRow());
    this.scrolledLines += 1;
  }

  #obey(prefix: string, numbers: string, final: string): void {
    const isPlain = numbers === '' || numbers === '0';
    if (prefix === '?' && (final === 'h' || final === 'l')) this.#setMode(Number(numbers), final === 'h');
    else if (final === 'G') this.#column = Math.max(1, Number(numbers)) - 1;
    else if (final === 'H') {
      const [row, column] = numbers.split(';');
      this.#row = Math.min(this.rows, Math.max(1, Number(row))) - 1;
      this.#column = Math.min(this.columns, Math.max(1, Number(column ?? 1))) - 1;
    } else if (final === 'r') {
      const [top, bottom] = numbers === '' ? [1, this.rows] : numbers.split(';').map(Number);
      this.region = { top: (top ?? 1) - 1, bottom: (bottom ?? this.rows) - 1 };
      this.#row = 0;
      this.#column = 0;
    } else if (final === ']' && prefix === '') {
      // The Linux console's own settings (console_codes(4)), such as blanking.
    } else if (final === 'J' && numbers === '2') {
      for (let row = 0; row < this.rows; row += 1) this.#clearRow(row, 0);
    } else if (final === 'K' && isPlain) {
      // After the last column the cursor is still on it.
      this.#clearRow(this.#row, Math.min(this.#column, this.columns - 1));
    } else if (final === 'J' && isPlain) {
      this.#clearRow(this.#row, this.#column);
      for (let row = this.#row + 1; row < this.rows; row += 1) this.#clearRow(row, 0);
    } else if (final !== 'm') throw new Error(`the sequence ESC [ ${prefix}${numbers}${final} is not known here`);
  }

  #setMode(mode: number, isSet: boolean): void {
    if (mode === 25) this.isCursorShown = isSet;
    else if (mode === 7) this.#wraps = isSet;
    else if (mode === 1049) {
      const main = this.#saved ?? { cells: this.#cells, row: this.#row, column: this.#column };
      this.#saved = isSet ? main : null;
      this.#cells = isSet ? this.#blank() : main.cells;
      if (!isSet) {
        this.#row = main.row;
        this.#column = main.column;
      }
      this.isAlternate = isSet;
    } else if (mode !== 2026) throw new Error(`the mode ${mode} is not known here`);
  }

  #clearRow(row: number, from: number): void {
    const cells = this.#cells[row];
    for (let column = from; column < this.columns; column += 1) if (cells !== undefined) cells[column] = ' ';
  }

  #blankRow(): string[] {
    return Array.from({ length: this.columns }, () => ' ');
  }

  #blank(): string[][] {
    return Array.from({ length: this.rows }, () => this.#blankRow());
  }
}
