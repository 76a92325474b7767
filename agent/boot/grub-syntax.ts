import { ProvisionError } from '../../core/base/errors.ts';
import { type GrubToken, tokenizeGrubScript, type Word } from './grub-tokens.ts';

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

const deepestNesting = 64;

/**
 * Parses a GRUB script (GRUB manual 2.06, "Shell-like scripting") as far as boot menus use it.
 * @throws ProvisionError `boot_path_invalid` with the line for text that GRUB would not take either.
 */
export function parseGrubScript(text: string): Statement[] {
  return new Parser(tokenizeGrubScript(text)).all();
}

class Parser {
  readonly #tokens: readonly GrubToken[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly GrubToken[]) {
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
