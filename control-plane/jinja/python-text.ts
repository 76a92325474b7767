import { limitTextLength } from './limits.ts';
import { TemplateFault } from './template-error.ts';
import { Callable, Instance, requireDefined, Tuple, typeNameOf, Undefined, type Value } from './values.ts';

/** `str(value)`: what `{{ value }}` prints. @throws TemplateFault for undefined values and functions. */
export function textOf(value: Value): string {
  return typeof value === 'string' ? value : reprOf(value);
}

/** `repr(value)`: how a value looks inside a printed list. */
export function reprOf(value: Value): string {
  return new Writer(writePython).write(value);
}

/** JSON as the filter `tojson` gives it: spaces after `,` and `:`, or indented; ASCII only, keys sorted. */
export function jsonOf(value: Value, indent: number | null): string {
  return new Writer((item, writer) => writeJson(item, writer, indent)).write(value);
}

/** Follows values within values, and stops at one that holds itself or grows too long. */
class Writer {
  readonly #write: (value: Value, writer: Writer) => string;
  readonly #open = new Set<Value>();
  #length = 0;

  constructor(write: (value: Value, writer: Writer) => string) {
    this.#write = write;
  }

  get depth(): number {
    return this.#open.size;
  }

  write(value: Value): string {
    if (this.#open.has(value)) throw new TemplateFault('a list or dict that holds itself cannot be printed');
    const isContainer = typeof value === 'object' && value !== null;
    if (isContainer) this.#open.add(value);
    const text = this.#write(value, this);
    if (isContainer) this.#open.delete(value);
    this.#length += isContainer ? 2 : text.length;
    limitTextLength(this.#length);
    return text;
  }
}

function writePython(value: Value, writer: Writer): string {
  if (value === null) return 'None';
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return floatText(value);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (Array.isArray(value)) return `[${value.map((item) => writer.write(item)).join(', ')}]`;
  if (value instanceof Tuple) {
    const items = value.items.map((item) => writer.write(item));
    return items.length === 1 ? `(${items[0]},)` : `(${items.join(', ')})`;
  }
  if (value instanceof Map) {
    return `{${[...value].map(([key, item]) => `${writer.write(key)}: ${writer.write(item)}`).join(', ')}}`;
  }
  requireDefined(value);
  if (value instanceof Callable) throw new TemplateFault(`the function ${value.name} cannot be printed, only called`);
  throw new TemplateFault(`${typeNameOf(value)} cannot be printed`);
}

/** The shortest digits that give the number back, exponents from 1e16 and below 1e-4 (`float.__repr__`). */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e16)) {
    // JavaScript writes an exponent below 1e-6 and from 1e21 only.
    const text = Object.is(value, -0) ? '-0' : String(value);
    return text.includes('.') ? text : `${text}.0`;
  }
  const [digits = '', exponent = ''] = value.toExponential().split('e');
  return `${digits}e${exponent.replace(/^([-+])(\d)$/, '$10$2')}`;
}

const quoteEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

/** Single quotes, double ones when that saves escaping (`str.__repr__`). */
function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replaceAll(/[\\\n\r\t'"]|[^\P{C}\n\r\t]/gu, (character) => {
    if (character === "'" || character === '"') return character === mark ? `\\${character}` : character;
    const known = quoteEscapes[character];
    if (known !== undefined) return known;
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`;
  });
  return `${mark}${body}${mark}`;
}

function writeJson(value: Value, writer: Writer, indent: number | null): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return Number.isFinite(value) ? floatText(value) : jsonInfinity(value);
  if (typeof value === 'string') return jsonText(value);
  if (value instanceof Undefined || value instanceof Callable || value instanceof Instance) {
    requireDefined(value);
    throw new TemplateFault(`${typeNameOf(value)} cannot be written as JSON`);
  }
  if (value instanceof Map) {
    const entries = [...value]
      .map(([key, item]): [string, Value] => [jsonKey(key), item])
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, item]) => `${jsonText(key)}: ${writer.write(item)}`);
    return enclose('{', entries, '}', layout(writer, indent));
  }
  const items = value instanceof Tuple ? value.items : value;
  const texts = items.map((item) => writer.write(item));
  return enclose('[', texts, ']', layout(writer, indent));
}

/** The line breaks inside and before the end of the container that is being written. */
function layout(writer: Writer, indent: number | null): { inner: string; outer: string } | null {
  if (indent === null) return null;
  const line = (depth: number): string => `\n${' '.repeat(indent * depth)}`;
  return { inner: line(writer.depth), outer: line(writer.depth - 1) };
}

function enclose(
  begin: string,
  parts: readonly string[],
  end: string,
  lines: { inner: string; outer: string } | null,
): string {
  if (lines === null || parts.length === 0) return `${begin}${parts.join(', ')}${end}`;
  return `${begin}${lines.inner}${parts.join(`,${lines.inner}`)}${lines.outer}${end}`;
}

function jsonInfinity(value: number): string {
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

function jsonKey(key: Value): string {
  if (typeof key === 'string') return key;
  if (key === null || typeof key === 'boolean') return String(key);
  return reprOf(key);
}

function jsonText(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
