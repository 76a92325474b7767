import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, parseAllDocuments } from 'yaml';
import { RenderError } from '../services.ts';
import { identityOf, type YamlEntry, type YamlMap, type YamlNode, type YamlScalar } from './yaml-node.ts';

/** Nodes of one role, aliases written out: a cloud-config of a person has hundreds. */
const maxNodes = 100_000;

/** Tags that PyYAML's safe loader reads; on scalars only. */
const knownTags = ['binary', 'bool', 'float', 'int', 'null', 'timestamp'];
const tagPrefix = 'tag:yaml.org,2002:';

/**
 * The rendered text of a role as a map, or null when there is nothing in it. Aliases and `<<` are written out.
 * @throws RenderError naming the line of the rendered text.
 */
export function parseCloudConfig(role: string, text: string): YamlMap | null {
  // Scalars stay texts: what they mean is PyYAML's to say.
  const documents = parseAllDocuments(text, { schema: 'failsafe', version: '1.1', logLevel: 'silent' });
  const [document, second] = 'empty' in documents ? [] : documents;
  if (document === undefined) return null;
  const [problem] = document.errors;
  if (problem !== undefined)
    throw invalid(role, problem.linePos?.[0].line, problem.message.split(/ at line \d|\n|: /)[0] ?? '');
  if (second !== undefined) throw invalid(role, undefined, 'there is more than one document');
  if (document.contents === null) return null;
  const node = new Converter(role, text, document).convert(document.contents);
  if (node.kind === 'map') return node;
  if (node.kind === 'scalar' && node.isPlain && node.text === '') return null;
  throw new RenderError(
    role,
    null,
    `the rendered cloud-config is a ${node.kind === 'list' ? 'list' : 'text'}, not a map`,
  );
}

/** Messages hold nothing of the text: it may be part of a secret. */
function invalid(role: string, line: number | undefined, message: string): RenderError {
  const place = line === undefined ? '' : ` in line ${line} of the rendered text`;
  return new RenderError(role, null, `the rendered cloud-config is not valid YAML${place}: ${message}`);
}

class Converter {
  readonly #role: string;
  readonly #text: string;
  readonly #document: Document;
  #count = 0;

  constructor(role: string, text: string, document: Document) {
    this.#role = role;
    this.#text = text;
    this.#document = document;
  }

  convert(node: Node | null): YamlNode {
    this.#count += 1;
    if (this.#count > maxNodes) throw this.#problem(node, `more than ${maxNodes} nodes`);
    if (node === null) return this.#scalar('', true, undefined);
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      if (target === undefined) throw this.#problem(node, 'an alias names an anchor that does not exist');
      return this.convert(target);
    }
    if (isScalar(node)) {
      const isPlain = node.type === 'PLAIN' || node.type === undefined;
      const tag = node.tag === undefined ? undefined : this.#tagOf(node, node.tag);
      return this.#scalar(String(node.value ?? ''), isPlain && tag !== 'text', tag === 'text' ? undefined : tag);
    }
    if (node.tag !== undefined) throw this.#problem(node, 'a list or map cannot have a tag');
    if (isSeq<Node>(node))
      return { kind: 'list', items: node.items.map((item) => this.convert(item)), role: this.#role };
    if (isMap<Node, Node>(node)) return this.#map(node.items);
    throw this.#problem(node, 'a node of an unknown kind');
  }

  #map(pairs: readonly Pair<Node, Node | null>[]): YamlMap {
    const entries = new Map<string, YamlEntry>();
    const merged: YamlMap[] = [];
    for (const { key: keyNode, value: valueNode } of pairs) {
      const key = this.convert(keyNode);
      if (key.kind !== 'scalar') throw this.#problem(keyNode, 'a key must be a text or a number');
      const value = this.convert(valueNode);
      if (key.isPlain && key.text === '<<') merged.push(...this.#mergedMaps(value, keyNode));
      else entries.set(identityOf(key), { key, value });
    }
    // Own entries win, then the earlier of the merged maps (https://yaml.org/type/merge.html).
    const all = new Map([...merged.reverse().flatMap((map) => [...map.entries]), ...entries]);
    return { kind: 'map', entries: all, role: this.#role };
  }

  #mergedMaps(value: YamlNode, place: Node): YamlMap[] {
    const maps = value.kind === 'list' ? value.items : [value];
    return maps.map((map) => {
      if (map.kind !== 'map') throw this.#problem(place, '<< takes a map or a list of maps');
      return map;
    });
  }

  #scalar(text: string, isPlain: boolean, tag: string | undefined): YamlScalar {
    return { kind: 'scalar', text, isPlain, tag, role: this.#role };
  }

  /** `text` for `!!str`, which quotes what stands behind it; undefined for `!`, which PyYAML reads over. */
  #tagOf(node: Node, tag: string): string | undefined {
    if (tag === '!') return undefined;
    if (tag === `${tagPrefix}str`) return 'text';
    const name = tag.startsWith(tagPrefix) ? tag.slice(tagPrefix.length) : '';
    if (!knownTags.includes(name))
      throw this.#problem(node, `an unknown tag; possible are ${knownTags.map((known) => `!!${known}`).join(', ')}`);
    return `!!${name}`;
  }

  #problem(node: Node | null, message: string): RenderError {
    const offset = node?.range?.[0];
    const line = offset === undefined ? undefined : this.#text.slice(0, offset).split('\n').length;
    return invalid(this.#role, line, message);
  }
}
