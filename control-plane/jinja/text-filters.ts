import { asCount, asText, bindArguments, required } from './arguments.ts';
import type { Filter, FilterTable } from './filter.ts';
import { formatFilter } from './format-text.ts';
import { limitText, limitTextLength } from './limits.ts';
import { jsonOf, textOf } from './python-text.ts';
import { TemplateFault } from './template-error.ts';
import { capitalizeText, justify, replaceText, stripText } from './text-methods.ts';
import { isIterable, isTruthy, itemsOf, requireDefined, type Value } from './values.ts';

/** Of the value as text, without arguments. */
function plain(name: string, work: (text: string) => Value): Filter {
  return (value, args) => {
    bindArguments(name, args, []);
    return work(textOf(value));
  };
}

/** Filters whose value is a text (Jinja 3.1, "List of Builtin Filters"; b64encode, b64decode and quote as in Ansible). */
export const textFilters: FilterTable = {
  upper: plain('upper', (text) => text.toUpperCase()),
  lower: plain('lower', (text) => text.toLowerCase()),
  capitalize: plain('capitalize', capitalizeText),
  title: plain('title', titleWords),
  string: plain('string', (text) => text),
  safe: plain('safe', (text) => text),
  escape: plain('escape', escapeHtml),
  e: plain('e', escapeHtml),
  forceescape: plain('forceescape', escapeHtml),
  wordcount: plain('wordcount', (text) => BigInt((text.match(/[\p{L}\p{N}_]+/gu) ?? []).length)),
  quote: plain('quote', (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`)),
  b64encode: plain('b64encode', (text) => limitText(Buffer.from(text, 'utf8').toString('base64'))),
  b64decode: plain('b64decode', decodeBase64),
  urlencode: (value, args) => {
    bindArguments('urlencode', args, []);
    if (typeof requireDefined(value) === 'string' || !isIterable(value)) return encodeUrl(textOf(value), '/');
    const pairs = value instanceof Map ? [...value] : itemsOf(value).map(itemsOf);
    const encode = (part: Value): string => encodeUrl(textOf(part), '').replaceAll('%20', '+');
    return pairs.map((pair) => pair.map(encode).join('=')).join('&');
  },
  trim: (value, args) => {
    const [characters = null] = bindArguments('trim', args, ['chars']);
    return stripText(textOf(value), characters, { start: true, end: true });
  },
  replace: (value, args) => {
    const [from, to, count = null] = bindArguments('replace', args, ['old', 'new', 'count']);
    const most = count === null ? -1 : asCount('count', count);
    return replaceText(
      textOf(value),
      textOf(required('replace', 'old', from)),
      textOf(required('replace', 'new', to)),
      most,
    );
  },
  center: (value, args) => {
    const [width = 80n] = bindArguments('center', args, ['width']);
    return justify(textOf(value), asCount('the width of center', width), 'center');
  },
  format: (value, args) => formatFilter(textOf(value), args),
  indent: (value, args) => {
    const [width = 4n, first = false, blank = false] = bindArguments('indent', args, ['width', 'first', 'blank']);
    const prefix = typeof width === 'string' ? width : spaces(asCount('the width of indent', width));
    return indent(textOf(value), prefix, { first: isTruthy(first), blank: isTruthy(blank) });
  },
  truncate: (value, args) => {
    const names = ['length', 'killwords', 'end', 'leeway'];
    const [length = 255n, killwords = false, end = '...', leeway = 5n] = bindArguments('truncate', args, names);
    const units = [...textOf(value)];
    const [most, tail] = [asCount('length', length), asText('end', end)];
    if (units.length <= most + asCount('leeway', leeway)) return units.join('');
    const cut = units.slice(0, Math.max(0, most - [...tail].length)).join('');
    if (isTruthy(killwords)) return cut + tail;
    return (cut.includes(' ') ? cut.slice(0, cut.lastIndexOf(' ')) : cut) + tail;
  },
  tojson: (value, args) => {
    const [width = null] = bindArguments('tojson', args, ['indent']);
    const json = jsonOf(value, width === null ? null : spaces(asCount('indent', width)).length);
    return json.replaceAll(/[<>&']/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  },
};

/** As the filter has it: words end at white space, hyphens and opening brackets only. */
function titleWords(text: string): string {
  return text.replaceAll(/[^-\s({[<]+/g, (word) => capitalizeText(word));
}

function spaces(width: number): string {
  limitTextLength(width);
  return ' '.repeat(Math.max(0, width));
}

function indent(text: string, prefix: string, { first, blank }: { first: boolean; blank: boolean }): string {
  const lines = text.split('\n');
  limitTextLength(text.length + lines.length * prefix.length);
  return lines
    .map((line, index) => (index === 0 ? (first ? prefix : '') : blank || line !== '' ? prefix : '') + line)
    .join('\n');
}

function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    "'": '&#39;',
    '"': '&#34;',
  };
  return limitText(text.replaceAll(/[&<>'"]/g, (character) => entities[character] ?? character));
}

function decodeBase64(text: string): string {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64').replace(/=+$/, '') !== text.replaceAll(/\s/g, '').replace(/=+$/, '')) {
    throw new TemplateFault('b64decode: the text is not base64');
  }
  return bytes.toString('utf8');
}

/** `urllib.parse.quote`. */
function encodeUrl(text: string, safe: string): string {
  const encoded = encodeURIComponent(text.toWellFormed()).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return limitText(safe === '/' ? encoded.replaceAll('%2F', '/') : encoded);
}
