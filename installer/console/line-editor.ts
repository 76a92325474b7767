/** What came of the keys that were pressed. */
export interface Typed {
  /** The line was ended with Enter: its text. Null: it was not. */
  readonly answer: string | null;
  /** Ctrl-L: what is on the screen is to be drawn anew. */
  readonly isRedraw: boolean;
}

const longestLine = 300;
const esc = '\x1b';

/**
 * One line of printable ASCII, typed or pasted: Backspace, Ctrl-U (delete the line), Ctrl-W (the last word), Enter, Ctrl-L.
 * Every other control character, Ctrl-C too, and the sequences of arrow and function keys are nothing.
 */
export class LineEditor {
  text = '';
  /** The beginning of a sequence whose rest has not come. */
  #sequence = '';

  push(input: string): Typed {
    let answer: string | null = null;
    let isRedraw = false;
    for (const character of input) {
      if (this.#isPartOfSequence(character)) continue;
      if (character === '\r' || character === '\n') answer = this.#taken(answer);
      else if (character === '\f') isRedraw = true;
      else this.#edit(character);
    }
    return { answer, isRedraw };
  }

  /** `\r\n` in one paste is one Enter. */
  #taken(before: string | null): string {
    const { text } = this;
    this.text = '';
    return text === '' && before !== null ? before : text;
  }

  #edit(character: string): void {
    if (character === '\b' || character === '\x7f') this.text = this.text.slice(0, -1);
    else if (character === '\x15') this.text = '';
    else if (character === '\x17') this.text = this.text.replace(/\S*\s*$/, '');
    else if (character >= ' ' && character <= '~' && this.text.length < longestLine) this.text += character;
  }

  /** ECMA-48: ESC, or ESC [ with parameters up to a letter or ~; the Linux console's F1 to F5 are ESC [ [ A. */
  #isPartOfSequence(character: string): boolean {
    if (character === esc) {
      this.#sequence = esc;
      return true;
    }
    if (this.#sequence === '') return false;
    this.#sequence += character;
    const isOpen = /^.(\[\[?[\d;?]*|O)$/.test(this.#sequence);
    if (!isOpen || this.#sequence.length > 16) this.#sequence = '';
    return true;
  }
}
