import { TemplateError } from './template-error.ts';
import type { Token, TokenType } from './tokenize-template.ts';

/** Deepest nesting of expressions and blocks; far more than a person writes, far less than the stack holds. */
const maxDepth = 100;

/** The tokens of a template with a place in them. */
export class TokenStream {
  readonly #tokens: readonly Token[];
  #index = 0;
  #depth = 0;

  /** @param tokens As `tokenizeTemplate` gives them, `end` last. */
  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get current(): Token {
    return this.peek(0);
  }

  get line(): number {
    return this.current.line;
  }

  peek(distance: number): Token {
    const last = this.#tokens.length - 1;
    const token = this.#tokens[Math.min(this.#index + distance, last)];
    if (token === undefined) throw new TemplateError(null, 'the template has no tokens');
    return token;
  }

  next(): Token {
    const token = this.current;
    this.#index += 1;
    return token;
  }

  is(type: TokenType, ...values: readonly string[]): boolean {
    const { current } = this;
    return current.type === type && (values.length === 0 || values.includes(current.value));
  }

  /** Steps over the token when it is the one named. */
  skip(type: TokenType, ...values: readonly string[]): boolean {
    if (!this.is(type, ...values)) return false;
    this.#index += 1;
    return true;
  }

  expect(type: TokenType, value?: string): Token {
    if (this.is(type, ...(value === undefined ? [] : [value]))) return this.next();
    throw this.unexpected(value ?? words[type]);
  }

  /** The error for the current token, saying what was expected instead. */
  unexpected(wanted: string): TemplateError {
    const { type, value, line } = this.current;
    const found = type === 'name' || type === 'operator' || type === 'integer' ? value : words[type];
    return new TemplateError(line, `syntax error: expected ${wanted}, found ${found}`);
  }

  /** Runs `work` one level deeper. @throws TemplateError when that is too deep. */
  nested<T>(work: () => T): T {
    this.#depth += 1;
    if (this.#depth > maxDepth) throw new TemplateError(this.line, `more than ${maxDepth} levels of nesting`);
    const result = work();
    this.#depth -= 1;
    return result;
  }
}

const words: Readonly<Record<TokenType, string>> = {
  text: 'text',
  block_begin: '{%',
  block_end: '%}',
  print_begin: '{{',
  print_end: '}}',
  name: 'a name',
  string: 'a text in quotes',
  integer: 'a number',
  float: 'a number',
  operator: 'an operator',
  end: 'the end of the template',
};
