import { TemplateError } from './template-error.ts';

export type TokenType =
  | 'text'
  | 'block_begin'
  | 'block_end'
  | 'print_begin'
  | 'print_end'
  | 'name'
  | 'string'
  | 'integer'
  | 'float'
  | 'operator'
  | 'end';

export interface Token {
  readonly type: TokenType;
  /** Strings with their escapes resolved, numbers without underscores. */
  readonly value: string;
  /** From 1. */
  readonly line: number;
}

const opener = /\{[{%#]/g;
const rawBegin = /\{%[-+]?\s*raw\s*(?:-%\}\s*|%\})/y;
const rawEnd = /\{%([-+]?)\s*endraw\s*(?:-%\}\s*|\+?%\})/g;
const commentEnd = /(?:-#\}\s*|\+?#\})/g;
const blockEnd = /-%\}\s*|\+?%\}/y;
const printEnd = /-\}\}\s*|\}\}/y;
const whitespace = /\s+/y;
const name = /[\p{L}_][\p{L}\p{Nd}_]*/uy;
const float = /\d+(?:_\d+)*(?:\.\d+(?:_\d+)*)?[eE][-+]?\d+(?:_\d+)*|\d+(?:_\d+)*\.\d+(?:_\d+)*/y;
const integer = /0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[\da-fA-F])+|[1-9](?:_?\d)*|0(?:_?0)*/y;
const text = /'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"/y;
const operator = /\*\*|\/\/|==|!=|<=|>=|[-+*/%~<>=.:|,;()[\]{}]/y;
const closerOf: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/**
 * Cuts a template into tokens as Jinja does with its default delimiters (Jinja 3.1, "Template Designer Documentation"):
 * `trim_blocks` and `lstrip_blocks` off, `keep_trailing_newline` on, line ends as `\n`.
 * @throws TemplateError for characters and ends of tags that are missing or out of place.
 */
export function tokenizeTemplate(template: string): Token[] {
  return new Tokenizer(template.replaceAll(/\r\n?/g, '\n')).run();
}

class Tokenizer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #position = 0;
  #line = 1;

  constructor(source: string) {
    this.#source = source;
  }

  run(): Token[] {
    while (this.#position < this.#source.length) this.#textAndTag();
    this.#push('end', '');
    return this.#tokens;
  }

  /** Text up to the next tag, then the tag. */
  #textAndTag(): void {
    opener.lastIndex = this.#position;
    const start = opener.exec(this.#source)?.index ?? this.#source.length;
    const stripsBefore = this.#source[start + 2] === '-';
    this.#text(this.#source.slice(this.#position, start), stripsBefore);
    this.#moveTo(start);
    if (start === this.#source.length) return;
    const kind = this.#source[start + 1];
    if (kind === '#') this.#comment();
    else if (kind === '%') this.#raw() || this.#tag('block_begin', 'block_end', blockEnd);
    else this.#tag('print_begin', 'print_end', printEnd);
  }

  #text(value: string, stripsEnd: boolean): void {
    const kept = stripsEnd ? value.trimEnd() : value;
    if (kept !== '') this.#push('text', kept);
  }

  #comment(): void {
    commentEnd.lastIndex = this.#position + 2;
    const end = commentEnd.exec(this.#source);
    if (end === null) throw new TemplateError(this.#line, 'the comment {# has no end #}; in a script, use {% raw %}');
    this.#moveTo(end.index + end[0].length);
  }

  #raw(): boolean {
    const begin = this.#match(rawBegin);
    if (begin === null) return false;
    const line = this.#line;
    this.#moveTo(this.#position + begin.length);
    rawEnd.lastIndex = this.#position;
    const end = rawEnd.exec(this.#source);
    if (end === null) throw new TemplateError(line, '{% raw %} has no {% endraw %}');
    this.#text(this.#source.slice(this.#position, end.index), end[1] === '-');
    this.#moveTo(end.index + end[0].length);
    return true;
  }

  #tag(begin: TokenType, end: TokenType, endPattern: RegExp): void {
    const beginLine = this.#line;
    this.#push(begin, '');
    this.#moveTo(this.#position + 2);
    if (/[-+]/.test(this.#source[this.#position] ?? '')) this.#moveTo(this.#position + 1);
    const open: string[] = [];
    for (;;) {
      this.#skip(whitespace);
      if (this.#position >= this.#source.length) {
        throw new TemplateError(
          beginLine,
          `the tag ${begin === 'block_begin' ? '{% has no end %}' : '{{ has no end }}'}`,
        );
      }
      const closing = open.length === 0 ? this.#match(endPattern) : null;
      if (closing !== null) {
        this.#push(end, '');
        this.#moveTo(this.#position + closing.length);
        return;
      }
      this.#tokenInTag(open);
    }
  }

  #tokenInTag(open: string[]): void {
    const isAfterDot = this.#source[this.#position - 1] === '.';
    if (this.#take('name', name)) return;
    if (this.#take('string', text, (quoted) => resolveEscapes(quoted.slice(1, -1)))) return;
    if (!isAfterDot && this.#take('float', float, (digits) => digits.replaceAll('_', ''))) return;
    if (this.#take('integer', integer, (digits) => digits.replaceAll('_', '').toLowerCase())) return;
    const sign = this.#match(operator);
    if (sign === null) {
      const character = String.fromCodePoint(this.#source.codePointAt(this.#position) ?? 0);
      throw new TemplateError(
        this.#line,
        `unexpected ${/['"]/.test(character) ? 'end of a text' : character} in a tag`,
      );
    }
    const closer = closerOf[sign];
    if (closer !== undefined) open.push(closer);
    else if (/^[)\]}]$/.test(sign) && open.pop() !== sign) throw new TemplateError(this.#line, `unexpected ${sign}`);
    this.#take('operator', operator);
  }

  /** Takes what the pattern matches here. @returns False when it does not. */
  #take(type: TokenType, pattern: RegExp, convert = (source: string): string => source): boolean {
    const source = this.#match(pattern);
    if (source === null) return false;
    this.#push(type, convert(source));
    this.#moveTo(this.#position + source.length);
    return true;
  }

  #push(type: TokenType, value: string): void {
    this.#tokens.push({ type, value, line: this.#line });
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#position;
    return pattern.exec(this.#source)?.[0] ?? null;
  }

  #skip(pattern: RegExp): void {
    this.#moveTo(this.#position + (this.#match(pattern)?.length ?? 0));
  }

  #moveTo(position: number): void {
    for (let index = this.#position; index < position; index += 1) {
      if (this.#source.charCodeAt(index) === 10) this.#line += 1;
    }
    this.#position = position;
  }
}

const simpleEscapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
};

/** Escapes of a Python text; what is none stays as it is (Python 3 language reference, 2.4.1). */
function resolveEscapes(source: string): string {
  const pattern = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([\s\S]))/g;
  return source.replaceAll(pattern, (whole, x, u, long, octal, character: string | undefined) => {
    if (character !== undefined) return simpleEscapes[character] ?? whole;
    const code = octal === undefined ? Number.parseInt(x ?? u ?? long, 16) : Number.parseInt(octal, 8);
    return code > 0x10ffff ? whole : String.fromCodePoint(code);
  });
}
