/** One parameter of a kernel command line. */
export interface RawParameter {
  readonly name: string;
  /** Without its outer quotes; null for a word without `=`. */
  readonly value: string | null;
}

export interface SplitCommandLine {
  readonly parameters: readonly RawParameter[];
  /** The last quote was not closed; its value goes to the end of the line, as it does for the kernel. */
  readonly hasOpenQuote: boolean;
}

/** What fits into Linux's COMMAND_LINE_SIZE on x86 beside its terminating zero (arch/x86/include/asm/setup.h). */
export const longestCommandLine = 2047;

/**
 * Splits a command line as the kernel does (next_arg() in lib/cmdline.c): white space ends a parameter unless a double
 * quote is open, quotes toggle anywhere, and only those around a whole value or a whole word are taken off. There is no
 * escape. `--`, after which the kernel leaves the rest to init, separates nothing here: /proc/cmdline holds it all, and
 * boot loaders append behind it.
 */
export function splitCommandLine(line: string): SplitCommandLine {
  const parameters: RawParameter[] = [];
  let at = 0;
  let hasOpenQuote = false;
  for (;;) {
    while (at < line.length && isSpace(line[at])) at += 1;
    if (at >= line.length) return { parameters, hasOpenQuote };
    let inQuote = false;
    const start = at;
    for (; at < line.length && (inQuote || !isSpace(line[at])); at += 1) if (line[at] === '"') inQuote = !inQuote;
    hasOpenQuote = inQuote;
    const word = line.slice(start, at);
    if (word !== '--') parameters.push(splitWord(word));
  }
}

/**
 * `name=value` as `splitCommandLine` and the kernel read it back, quoted where it must be; null where no writing of it
 * can be: a quote or a control character in the value, or what is not ASCII (the kernel takes the byte A0, which is part
 * of letters in UTF-8, for a space).
 */
export function formatParameter({ name, value }: RawParameter): string | null {
  if (!/^[\x21-\x7e]+$/.test(name) || /["=]/.test(name)) return null;
  if (value === null) return name === '--' ? null : name;
  if (!/^[\x20-\x7e]*$/.test(value) || value.includes('"')) return null;
  return value.includes(' ') ? `${name}="${value}"` : `${name}=${value}`;
}

/** Hyphens and underscores are the same in names of parameters (parameq() in kernel/params.c). */
export function canonicalName(name: string): string {
  return name.replaceAll('-', '_');
}

function splitWord(word: string): RawParameter {
  const isQuoted = word.startsWith('"');
  const text = isQuoted ? word.slice(1) : word;
  // A name is never empty: an `=` at the very start belongs to it.
  const equalsAt = text.indexOf('=', 1);
  if (equalsAt < 0) return { name: isQuoted ? withoutLastQuote(text) : text, value: null };
  const value = text.slice(equalsAt + 1);
  if (value.startsWith('"')) return { name: text.slice(0, equalsAt), value: withoutLastQuote(value.slice(1)) };
  return { name: text.slice(0, equalsAt), value: isQuoted ? withoutLastQuote(value) : value };
}

function withoutLastQuote(text: string): string {
  return text.endsWith('"') ? text.slice(0, -1) : text;
}

function isSpace(character: string | undefined): boolean {
  return character !== undefined && ' \t\n\v\f\r'.includes(character);
}
