import { type Arguments, asCount, asText, bindArguments } from './arguments.ts';
import { formatBraces } from './format-text.ts';
import { limitListLength, limitTextLength } from './limits.ts';
import { TemplateFault } from './template-error.ts';
import { Callable, itemsOf, requireDefined, Tuple, type Value } from './values.ts';

/** A method of Python's `str`, or undefined when there is none of that name. */
export function textMethod(text: string, name: string): Callable | undefined {
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  return method === undefined ? undefined : new Callable(name, (args) => method(text, args));
}

type Method = (text: string, args: Arguments) => Value;

/** A method without arguments. */
function plain(name: string, work: (text: string) => Value): Method {
  return (text, args) => {
    bindArguments(name, args, []);
    return work(text);
  };
}

function affix(name: string, holds: (text: string, part: string) => boolean): Method {
  return (text, args) => {
    const [part] = bindArguments(name, args, ['prefix']);
    const parts = part instanceof Tuple ? part.items : [part];
    return parts.some((item) => holds(text, asText(`the argument of ${name}`, item)));
  };
}

function search(name: string, work: (text: string, part: string) => Value): Method {
  return (text, args) => work(text, asText(`the argument of ${name}`, bindArguments(name, args, ['sub'])[0]));
}

function strip(name: string, sides: { start: boolean; end: boolean }): Method {
  return (text, args) => {
    const [characters] = bindArguments(name, args, ['chars']);
    return stripText(text, characters ?? null, sides);
  };
}

/** Takes white space, or the given characters, off the ends. */
export function stripText(text: string, characters: Value, sides: { start: boolean; end: boolean }): string {
  const set = characters === null ? null : new Set(asText('the characters to strip', characters));
  const units = [...text];
  const isStripped = (unit: string | undefined): boolean =>
    unit !== undefined && (set === null ? /^\s$/.test(unit) : set.has(unit));
  let [start, end] = [0, units.length];
  while (sides.start && start < end && isStripped(units[start])) start += 1;
  while (sides.end && end > start && isStripped(units[end - 1])) end -= 1;
  return units.slice(start, end).join('');
}

/** `str.replace`. */
export function replaceText(text: string, from: string, to: string, count = -1): string {
  if (count === 0) return text;
  const parts = from === '' ? ['', ...text, ''] : text.split(from);
  const places = count < 0 ? parts.length - 1 : Math.min(count, parts.length - 1);
  limitTextLength(text.length + places * to.length);
  if (places === parts.length - 1) return parts.join(to);
  const rest = parts.slice(places).join(from);
  return [...parts.slice(0, places), rest].join(to);
}

/** First letter of each word large, the others small. */
function titleText(text: string): string {
  return text.replaceAll(/\p{L}+/gu, (word) => capitalizeText(word));
}

/** First letter large, all others small. */
export function capitalizeText(text: string): string {
  const [first = '', ...rest] = text;
  return first.toUpperCase() + rest.join('').toLowerCase();
}

/** Puts the text in the middle, right or left of so many characters. */
export function justify(text: string, width: number, side: 'center' | 'ljust' | 'rjust', fill = ' '): string {
  if ([...fill].length !== 1) throw new TemplateFault(`${side} fills with one character`);
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  limitTextLength(width);
  const size = [...text].length;
  // CPython leans to the left of the middle when width is even and text odd (unicode_center).
  const centred = Math.floor(missing / 2) + (missing & (size + missing) & 1);
  const before = side === 'ljust' ? 0 : side === 'rjust' ? missing : centred;
  return fill.repeat(before) + text + fill.repeat(missing - before);
}

function justifyMethod(side: 'center' | 'ljust' | 'rjust'): Method {
  return (text, args) => {
    const [width, fill] = bindArguments(side, args, ['width', 'fillchar']);
    return justify(text, asCount(`the width of ${side}`, width), side, fill === undefined ? ' ' : asText('fill', fill));
  };
}

function split(name: string, fromEnd: boolean): Method {
  return (text, args) => {
    const [separator = null, limit = -1n] = bindArguments(name, args, ['sep', 'maxsplit']);
    const most = asCount(`maxsplit of ${name}`, limit);
    const parts =
      separator === null ? splitBlank(text, most, fromEnd) : splitBy(text, asText('sep', separator), most, fromEnd);
    limitListLength(parts.length);
    return parts;
  };
}

function splitBy(text: string, separator: string, most: number, fromEnd: boolean): string[] {
  if (separator === '') throw new TemplateFault('a text cannot be split at nothing');
  const parts = text.split(separator);
  if (most < 0 || parts.length <= most + 1) return parts;
  const cut = fromEnd ? parts.length - most : most;
  if (fromEnd) return [parts.slice(0, cut).join(separator), ...parts.slice(cut)];
  return [...parts.slice(0, cut), parts.slice(cut).join(separator)];
}

function splitBlank(text: string, most: number, fromEnd: boolean): string[] {
  const words = [...text.matchAll(/\S+/g)];
  if (most < 0 || words.length <= most) return words.map(([word]) => word);
  const cut = fromEnd ? words.length - most : most;
  const texts = words.map(([word]) => word);
  const border = words[fromEnd ? cut - 1 : cut];
  if (border === undefined) return texts;
  if (fromEnd) return [text.slice(0, border.index + border[0].length).trimStart(), ...texts.slice(cut)];
  return [...texts.slice(0, cut), text.slice(border.index).trimEnd()];
}

function partition(name: string, place: (text: string, separator: string) => number): Method {
  return search(name, (text, separator) => {
    const index = place(text, separator);
    if (index < 0) return new Tuple(name === 'partition' ? [text, '', ''] : ['', '', text]);
    return new Tuple([text.slice(0, index), separator, text.slice(index + separator.length)]);
  });
}

const codePointIndex = (text: string, index: number): bigint =>
  BigInt(index < 0 ? -1 : [...text.slice(0, index)].length);

const methods: Readonly<Record<string, Method>> = {
  upper: plain('upper', (text) => text.toUpperCase()),
  lower: plain('lower', (text) => text.toLowerCase()),
  casefold: plain('casefold', (text) => text.toLowerCase()),
  title: plain('title', titleText),
  capitalize: plain('capitalize', capitalizeText),
  swapcase: plain('swapcase', (text) =>
    [...text].map((c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase())).join(''),
  ),
  strip: strip('strip', { start: true, end: true }),
  lstrip: strip('lstrip', { start: true, end: false }),
  rstrip: strip('rstrip', { start: false, end: true }),
  startswith: affix('startswith', (text, part) => text.startsWith(part)),
  endswith: affix('endswith', (text, part) => text.endsWith(part)),
  removeprefix: search('removeprefix', (text, part) => (text.startsWith(part) ? text.slice(part.length) : text)),
  removesuffix: search('removesuffix', (text, part) =>
    part !== '' && text.endsWith(part) ? text.slice(0, -part.length) : text,
  ),
  split: split('split', false),
  rsplit: split('rsplit', true),
  splitlines: plain('splitlines', (text) =>
    text
      .replace(/\n$/, '')
      .split('\n')
      .slice(text === '' ? 1 : 0),
  ),
  partition: partition('partition', (text, separator) => text.indexOf(separator)),
  rpartition: partition('rpartition', (text, separator) => text.lastIndexOf(separator)),
  find: search('find', (text, part) => codePointIndex(text, text.indexOf(part))),
  rfind: search('rfind', (text, part) => codePointIndex(text, text.lastIndexOf(part))),
  index: search('index', (text, part) => {
    if (!text.includes(part)) throw new TemplateFault('the text to find is not there');
    return codePointIndex(text, text.indexOf(part));
  }),
  count: search('count', (text, part) => BigInt(part === '' ? [...text].length + 1 : text.split(part).length - 1)),
  replace: (text, args) => {
    const [from, to, count = -1n] = bindArguments('replace', args, ['old', 'new', 'count']);
    return replaceText(text, asText('old', from), asText('new', to), asCount('count', count));
  },
  join: (text, args) => {
    const items = itemsOf(requireDefined(bindArguments('join', args, ['iterable'])[0] ?? null));
    const texts = items.map((item) => asText('what join takes', item));
    limitTextLength(texts.reduce((sum, item) => sum + item.length + text.length, 0));
    return texts.join(text);
  },
  format: formatBraces,
  zfill: (text, args) => {
    const width = asCount('the width of zfill', bindArguments('zfill', args, ['width'])[0]);
    limitTextLength(width);
    return text.replace(/^([-+]?)/, `$1${'0'.repeat(Math.max(0, width - [...text].length))}`);
  },
  center: justifyMethod('center'),
  ljust: justifyMethod('ljust'),
  rjust: justifyMethod('rjust'),
  isdigit: plain('isdigit', (text) => /^\p{Nd}+$/u.test(text)),
  isnumeric: plain('isnumeric', (text) => /^\p{N}+$/u.test(text)),
  isalpha: plain('isalpha', (text) => /^\p{L}+$/u.test(text)),
  isalnum: plain('isalnum', (text) => /^[\p{L}\p{N}]+$/u.test(text)),
  isspace: plain('isspace', (text) => /^\s+$/.test(text)),
  islower: plain('islower', (text) => text === text.toLowerCase() && text !== text.toUpperCase()),
  isupper: plain('isupper', (text) => text === text.toUpperCase() && text !== text.toLowerCase()),
};
