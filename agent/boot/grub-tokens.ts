import { ProvisionError } from '../../core/base/errors.ts';

/** A piece of a word: literal text, or a variable. Unquoted variables are split at blanks when expanded. */
export type WordPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: string; readonly isQuoted: boolean };

export type Word = readonly WordPart[];

/** `bare` is the text of a word without quotes, escapes and variables: only such a word can be a keyword. */
export type GrubToken =
  | { readonly kind: 'word'; readonly word: Word; readonly bare: string | null }
  | { readonly kind: 'end' };

/**
 * Splits a GRUB script into words and ends of commands.
 * @throws ProvisionError `boot_path_invalid` with the line, for a quote that is not closed.
 */
export function tokenizeGrubScript(text: string): GrubToken[] {
  const tokens: GrubToken[] = [];
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
