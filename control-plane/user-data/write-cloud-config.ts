import { isTextInPyYaml } from './pyyaml-scalars.ts';
import { isNull, type YamlMap, type YamlNode, type YamlScalar } from './yaml-node.ts';

/** The map as a cloud-config whose every value PyYAML reads as it read the roles' own. */
export function writeCloudConfig(map: YamlMap): string {
  return `#cloud-config\n${writeMap(map, 0)}`;
}

const step = '  ';

function writeMap(map: YamlMap, depth: number): string {
  const pad = step.repeat(depth);
  return [...map.entries.values()]
    .map(({ key, value }) => {
      const name = writeScalar(key, null);
      // A simple key may have at most 1024 characters (YAML 1.1, 7.3.2).
      const isLong = name.length > 1000;
      return isLong
        ? `${pad}? ${name}\n${pad}:${writeValue(value, depth)}`
        : `${pad}${name}:${writeValue(value, depth)}`;
    })
    .join('');
}

/** What follows `key:`, with its line end. */
function writeValue(value: YamlNode, depth: number): string {
  if (value.kind === 'scalar') return ` ${writeScalar(value, depth + 1)}\n`;
  if (value.kind === 'map') return value.entries.size === 0 ? ' {}\n' : `\n${writeMap(value, depth + 1)}`;
  return value.items.length === 0 ? ' []\n' : `\n${writeList(value.items, depth + 1)}`;
}

function writeList(items: readonly YamlNode[], depth: number): string {
  const pad = step.repeat(depth);
  return items
    .map((item) => {
      if (item.kind === 'scalar') return `${pad}- ${writeScalar(item, depth + 1)}\n`;
      if (item.kind === 'map') {
        if (item.entries.size === 0) return `${pad}- {}\n`;
        return `${pad}- ${writeMap(item, depth + 1).slice(pad.length + step.length)}`;
      }
      if (item.items.length === 0) return `${pad}- []\n`;
      return `${pad}- ${writeList(item.items, depth + 1).slice(pad.length + step.length)}`;
    })
    .join('');
}

/** @param depth Of the lines of a block; null where there can be none (a key). */
function writeScalar(node: YamlScalar, depth: number | null): string {
  const { text, isPlain, tag } = node;
  if (tag !== undefined) return `${tag} ${JSON.stringify(text.trim())}`;
  if (isNull(node)) return 'null';
  // A number, a boolean, a time: its form is its meaning.
  if (isPlain && !isTextInPyYaml(text)) return text;
  if (safePlain.test(text) && isTextInPyYaml(text) && !looksSpecial.test(text)) return text;
  const block = depth === null ? null : writeBlock(text, depth);
  return block ?? writeQuoted(text);
}

/** Nothing in it has a meaning in YAML, whatever the version. */
const safePlain = /^[A-Za-z_/](?:[\w./@+=,:-]| (?=[\w/]))*(?<!:)$/;
const looksSpecial = /: |^(?:y|Y|n|N|true|false|null)$/;

/** A literal block for a text of several lines that it can hold unchanged (YAML 1.1, 9.3.1). */
function writeBlock(text: string, depth: number): string | null {
  if (
    !text.includes('\n') ||
    /^\n*$/.test(text) ||
    /[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(text)
  )
    return null;
  if (/[\u2028\u2029\ufeff]/.test(text)) return null;
  const pad = step.repeat(depth);
  const indicator = /^\n*[ \t]/.test(text) || text.startsWith('\n') ? String(step.length) : '';
  const ending = /\n*$/.exec(text)?.[0].length ?? 0;
  const chomping = ending === 0 ? '-' : ending === 1 ? '' : '+';
  const lines = (ending === 0 ? text : text.slice(0, -1)).split('\n');
  return `|${indicator}${chomping}\n${lines.map((line) => (line === '' ? '' : pad + line)).join('\n')}`;
}

/** JSON's form is YAML's double-quoted one, but for characters that PyYAML does not take or takes for line ends. */
function writeQuoted(text: string): string {
  return JSON.stringify(text.toWellFormed()).replaceAll(
    /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
