import { ProvisionError } from '../../core/base/errors.ts';

/** A piece of a word: literal text, or a variable. Unquoted variables are split at blanks when expanded. */
export type WordPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string; readonly isQuoted: boolean };

export type Word = readonly WordPart[];

export type Statement =
  | { readonly kind: 'command'; readonly words: readonly Word[]; readonly block: readonly Statement[] | null }
  | { readonly kind: 'if'; readonly branches: readonly Branch[]; readonly otherwise: readonly Statement[] }
  | { readonly kind: 'loop'; readonly until: boolean; readonly branch: Branch }
  | {
      readonly kind: 'for';
      readonly name: string;
      readonly words: readonly Word[];
      readonly body: readonly Statement[];
    }
  | { readonly kind: 'function'; readonly name: string; readonly body: readonly Statement[] };

export interface Branch {
  readonly condition: readonly Statement[];
  readonly body: readonly Statement[];
}

type Token = { readonly kind: 'word'; readonly word: Word; readonly bare: string | null } | { readonly kind: 'end' };

const deepestNesting = 64;

/**
 * Parses a GRUB script (GRUB manual 2.06, "Shell-like scripting") as far as boot menus use it.
 * @throws ProvisionError `boot_path_invalid` with the line for text that GRUB would not take either.
 */
export function parseGrubScript(text: string): Statement[] {
  return new Parser(tokenize(text)).all();
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at, at + 2);
    const char = rest[0] ?? '';
    if (rest === '\\\n') at += 2;
    else if (char === '\n' || char === ';') {
      tokens.push({ kind: 'end' });
      at += 1;
    } else if (/\s/.test(char)) at += 1;
    else if (char === '#') at = endOfLine(text, at);
    else {
      const { word, bare, next } = readWord(text, at);
      tokens.push({ kind: 'word', word, bare });
      at = next;
    }
  }
  return [...tokens, { kind: 'end' }];
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end === -1 ? text.length : end;
}

/** `bare` is the text of a word without quotes, escapes and variables: only such a word can be a keyword. */
function readWord(text: string, start: number): { word: Word; bare: string | null; next: number } {
  const parts: WordPart[] = [];
  let isBare = true;
  let at = start;
  while (at < text.length && !/[\s;]/.test(text[at] ?? '')) {
    const char = text[at] ?? '';
    // A brace is a word of its own in GRUB scripts only where it stands alone.
    if (char === "'") {
      const end = closing(text, at + 1, "'");
      parts.push({ kind: 'text', text: text.slice(at + 1, end) });
      isBare = false;
      at = end + 1;
    } else if (char === '"') {
      at = readQuoted(text, at + 1, parts);
      isBare = false;
    } else if (char === '\\') {
      if (text[at + 1] !== '\n') parts.push({ kind: 'text', text: text[at + 1] ?? '' });
      isBare = false;
      at += 2;
    } else if (char === '$') {
      at = readVariable(text, at, { parts, isQuoted: false });
      isBare = false;
    } else {
      parts.push({ kind: 'text', text: char });
      at += 1;
    }
  }
  const bare = isBare ? text.slice(start, at) : null;
  return { word: parts, bare, next: at };
}

function readQuoted(text: string, start: number, parts: WordPart[]): number {
  let at = start;
  // Makes "" a word with no text.
  parts.push({ kind: 'text', text: '' });
  while (at < text.length && text[at] !== '"') {
    const char = text[at] ?? '';
    if (char === '\\' && /["$\\\n]/.test(text[at + 1] ?? '')) {
      if (text[at + 1] !== '\n') parts.push({ kind: 'text', text: text[at + 1] ?? '' });
      at += 2;
    } else if (char === '$') at = readVariable(text, at, { parts, isQuoted: true });
    else {
      parts.push({ kind: 'text', text: char });
      at += 1;
    }
  }
  if (at >= text.length) throw syntaxError(text, start, 'a quote is not closed');
  return at + 1;
}

function readVariable(text: string, at: number, into: { parts: WordPart[]; isQuoted: boolean }): number {
  const match = /^\$(?:\{([\w?@*#-]+)\}|(\w+|[?@*#]))/.exec(text.slice(at, at + 200));
  const name = match?.[1] ?? match?.[2];
  if (match === null || name === undefined) {
    into.parts.push({ kind: 'text', text: '$' });
    return at + 1;
  }
  into.parts.push({ kind: 'variable', name, isQuoted: into.isQuoted });
  return at + match[0].length;
}

function closing(text: string, from: number, quote: string): number {
  const end = text.indexOf(quote, from);
  if (end === -1) throw syntaxError(text, from, 'a quote is not closed');
  return end;
}

function syntaxError(text: string, at: number, why: string): ProvisionError {
  const line = text.slice(0, at).split('\n').length;
  return new ProvisionError('boot_path_invalid', `the GRUB script is broken at line ${line}: ${why}`, {
    facts: { line },
  });
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  all(): Statement[] {
    const statements = this.#until([]);
    if (this.#at < this.#tokens.length) throw this.#error(`${this.#peekBare() ?? 'a word'} is not expected here`);
    return statements;
  }

  /** Statements up to one of the keywords, which is left to be read. */
  #until(keywords: readonly string[]): Statement[] {
    this.#depth += 1;
    if (this.#depth > deepestNesting) throw this.#error('it is nested too deeply');
    const statements: Statement[] = [];
    while (this.#at < this.#tokens.length) {
      const token = this.#tokens[this.#at];
      if (token?.kind === 'end') this.#at += 1;
      else if (token?.bare && (keywords.includes(token.bare) || token.bare === '}')) break;
      else statements.push(this.#statement());
    }
    this.#depth -= 1;
    return statements;
  }

  #statement(): Statement {
    switch (this.#peekBare()) {
      case 'if':
        return this.#if();
      case 'while':
      case 'until':
        return this.#loop();
      case 'for':
        return this.#for();
      case 'function':
        return this.#function();
      default:
        return this.#command();
    }
  }

  #if(): Statement {
    const branches: Branch[] = [];
    let otherwise: Statement[] = [];
    this.#take('if');
    for (;;) {
      const condition = this.#until(['then']);
      this.#take('then');
      branches.push({ condition, body: this.#until(['elif', 'else', 'fi']) });
      if (this.#peekBare() !== 'elif') break;
      this.#take('elif');
    }
    if (this.#peekBare() === 'else') {
      this.#take('else');
      otherwise = this.#until(['fi']);
    }
    this.#take('fi');
    return { kind: 'if', branches, otherwise };
  }

  #loop(): Statement {
    const until = this.#peekBare() === 'until';
    this.#at += 1;
    const condition = this.#until(['do']);
    this.#take('do');
    const body = this.#until(['done']);
    this.#take('done');
    return { kind: 'loop', until, branch: { condition, body } };
  }

  #for(): Statement {
    this.#take('for');
    const name = this.#peekBare() ?? '';
    this.#at += 1;
    this.#take('in');
    const words = this.#words();
    this.#skipEnds();
    this.#take('do');
    const body = this.#until(['done']);
    this.#take('done');
    return { kind: 'for', name, words, body };
  }

  #function(): Statement {
    this.#take('function');
    const name = this.#peekBare() ?? '';
    this.#at += 1;
    this.#skipEnds();
    return { kind: 'function', name, body: this.#block() };
  }

  #command(): Statement {
    const words = this.#words();
    const block = this.#peekBare() === '{' ? this.#block() : null;
    if (words.length === 0 && block === null) throw this.#error('a command is expected');
    return { kind: 'command', words, block };
  }

  #block(): Statement[] {
    this.#take('{');
    const body = this.#until(['}']);
    this.#take('}');
    return body;
  }

  #words(): Word[] {
    const words: Word[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token?.kind !== 'word' || token.bare === '{' || token.bare === '}') return words;
      words.push(token.word);
      this.#at += 1;
    }
  }

  #skipEnds(): void {
    while (this.#tokens[this.#at]?.kind === 'end') this.#at += 1;
  }

  #peekBare(): string | null {
    const token = this.#tokens[this.#at];
    return token?.kind === 'word' ? token.bare : null;
  }

  #take(keyword: string): void {
    if (this.#peekBare() !== keyword) throw this.#error(`"${keyword}" is expected`);
    this.#at += 1;
  }

  #error(why: string): ProvisionError {
    const line = this.#tokens.slice(0, this.#at).filter(({ kind }) => kind === 'end').length + 1;
    return new ProvisionError('boot_path_invalid', `the GRUB script is broken near command ${line}: ${why}`, {
      facts: { command: line },
    });
  }
}
