import type { Arguments } from './arguments.ts';
import { bindArguments } from './arguments.ts';
import { limitText, limitTextLength } from './limits.ts';
import { reprOf, textOf } from './python-text.ts';
import { TemplateFault } from './template-error.ts';
import { requireDefined, Tuple, typeNameOf, type Value } from './values.ts';

const conversion = /%(?:\((\w+)\))?([-+ 0#]*)(\d+)?(?:\.(\d+))?(.?)/gs;

/** `text % values` (Python library reference, "printf-style String Formatting"). */
export function formatPercent(text: string, values: Value): string {
  const items = values instanceof Tuple ? values.items : [values];
  let used = 0;
  const result = text.replaceAll(conversion, (_whole, key: string | undefined, flags, width, precision, letter) => {
    if (letter === '%') return '%';
    const value = key === undefined ? items[used++] : entry(values, key);
    if (value === undefined) throw new TemplateFault('the format has more places than there are values');
    const isWhole = 'dixXo'.includes(letter) && letter !== '';
    const places = precision === undefined ? undefined : bounded(precision);
    const body = isWhole ? wholeText(letter, number(value)) : convert(letter, value, places);
    return pad(body, flags, bounded(width ?? '0'));
  });
  // A list or a dict is one value that need not be used, as in Python.
  const isOptional = Array.isArray(values) || values instanceof Map;
  if (!isOptional && used < items.length) throw new TemplateFault('the format has fewer places than there are values');
  return limitText(result);
}

const replacement = /\{\{|\}\}|\{(\w*)((?:\.\w+|\[[^\]{}]*\])*)(![rs])?(?::([^{}]*))?\}|[{}]/g;
const specification = /^(.?[<>^])?([-+ ]?)(0?)(\d*)(?:\.(\d+))?([a-zA-Z%]?)$/s;

/** `text.format(…)` with places by number, order or name, and the format specifications of texts and numbers. */
export function formatBraces(text: string, args: Arguments): string {
  let next = 0;
  const result = text.replaceAll(replacement, (whole, name: string | undefined, path, conversionMark, spec) => {
    if (whole === '{{') return '{';
    if (whole === '}}') return '}';
    if (name === undefined) throw new TemplateFault('a single { or } in a format');
    if (path !== '' && path !== undefined) throw new TemplateFault('a format cannot look into its values');
    const value = /^\d*$/.test(name) ? args.positional[name === '' ? next++ : Number(name)] : args.named.get(name);
    if (value === undefined) throw new TemplateFault(`the format has no value for {${name}}`);
    const shown = conversionMark === '!r' ? reprOf(value) : conversionMark === '!s' ? textOf(value) : value;
    return formatSpec(shown, spec ?? '');
  });
  return limitText(result);
}

/** The filter `format` and `%`: positional values, or names for `%(name)s`. */
export function formatFilter(text: string, args: Arguments): string {
  if (args.named.size === 0) return formatPercent(text, new Tuple(args.positional));
  if (args.positional.length > 0) bindArguments('format', args, []);
  return formatPercent(text, new Map(args.named));
}

function formatSpec(value: Value, spec: string): string {
  if (spec === '') return textOf(value);
  const match = specification.exec(spec);
  if (match === null) throw new TemplateFault(`the format ${spec} is unknown`);
  const [, fillAlign = '', sign = '', zero = '', width = '', precision, type = ''] = match;
  const isNumber = typeof value !== 'string';
  const places = precision === undefined ? undefined : bounded(precision);
  let body: string;
  if (!isNumber || type === 's') body = textOf(value).slice(0, places);
  else if ('dxXob'.includes(type) && type !== '') body = wholeText(type, number(value));
  else body = type === '' && places === undefined ? textOf(value) : convert(type === '' ? 'g' : type, value, places);
  if (isNumber && sign !== '' && sign !== '-' && !body.startsWith('-')) body = sign + body;
  const align = fillAlign.slice(-1) || (isNumber ? '>' : '<');
  const fill = fillAlign.length > 1 ? fillAlign.slice(0, -1) : zero === '0' ? '0' : ' ';
  const missing = bounded(width || '0') - body.length;
  if (missing <= 0) return body;
  if (fill === '0' && fillAlign === '') return body.replace(/^([-+ ]?)/, `$1${'0'.repeat(missing)}`);
  const before = align === '<' ? 0 : align === '>' ? missing : Math.floor(missing / 2);
  return fill.repeat(before) + body + fill.repeat(missing - before);
}

function convert(letter: string, value: Value, places: number | undefined): string {
  switch (letter) {
    case 's':
      return textOf(value).slice(0, places);
    case 'r':
      return reprOf(value).slice(0, places);
    case 'f':
    case 'F':
      return number(value, true).toFixed(Math.min(places ?? 6, 100));
    case 'e':
      return number(value, true)
        .toExponential(Math.min(places ?? 6, 100))
        .replace(/e([-+])(\d)$/, 'e$10$2');
    case 'g':
      return String(Number(number(value, true).toPrecision(Math.min(Math.max(places ?? 6, 1), 100))));
    case 'c':
      return typeof value === 'string' ? value : String.fromCodePoint(Number(number(value)));
    default:
      throw new TemplateFault(`the format %${letter} is unknown`);
  }
}

function wholeText(letter: string, value: bigint | number): string {
  const whole = typeof value === 'bigint' ? value : BigInt(Math.trunc(value));
  if (letter === 'x') return whole.toString(16);
  if (letter === 'X') return whole.toString(16).toUpperCase();
  if (letter === 'o') return whole.toString(8);
  return letter === 'b' ? whole.toString(2) : whole.toString();
}

function pad(body: string, flags: string, width: number): string {
  const isSigned = !body.startsWith('-');
  const signed = flags.includes('+') && isSigned ? `+${body}` : flags.includes(' ') && isSigned ? ` ${body}` : body;
  const missing = width - signed.length;
  if (missing <= 0) return signed;
  if (flags.includes('-')) return signed + ' '.repeat(missing);
  if (flags.includes('0')) return signed.replace(/^([-+ ]?)/, `$1${'0'.repeat(missing)}`);
  return ' '.repeat(missing) + signed;
}

function number(value: Value): bigint | number;
function number(value: Value, isReal: true): number;
function number(value: Value, isReal = false): bigint | number {
  const plain = typeof value === 'boolean' ? BigInt(value) : requireDefined(value);
  if (typeof plain !== 'bigint' && typeof plain !== 'number') {
    throw new TemplateFault(`the format needs a number, not ${typeNameOf(plain)}`);
  }
  return isReal ? Number(plain) : plain;
}

function entry(values: Value, key: string): Value | undefined {
  if (!(values instanceof Map)) throw new TemplateFault(`the format's %(${key}) needs named values`);
  const value = values.get(key);
  if (value === undefined) throw new TemplateFault(`the format has no value named ${key}`);
  return value;
}

function bounded(digits: string): number {
  const value = Number(digits);
  limitTextLength(value);
  return value;
}
