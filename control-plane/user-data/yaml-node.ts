import { isTextInPyYaml } from './pyyaml-scalars.ts';

/**
 * A cloud-config as it was written: scalars keep their text and whether it was quoted, so that what is written again
 * means to PyYAML, which cloud-init reads it with, what it meant before (YAML 1.1: `on`, `0644`, `12:30`).
 */
export type YamlNode = YamlScalar | YamlList | YamlMap;

export interface YamlScalar {
  readonly kind: 'scalar';
  readonly text: string;
  /** Neither quoted nor a block: PyYAML decides by its form what it is. */
  readonly isPlain: boolean;
  /** `!!binary`, or undefined where PyYAML resolves it by itself. */
  readonly tag: string | undefined;
  readonly role: string;
}

export interface YamlList {
  readonly kind: 'list';
  readonly items: readonly YamlNode[];
  readonly role: string;
}

export interface YamlMap {
  readonly kind: 'map';
  /** By the identity of the key, in order. */
  readonly entries: ReadonlyMap<string, YamlEntry>;
  readonly role: string;
}

export interface YamlEntry {
  readonly key: YamlScalar;
  readonly value: YamlNode;
}

/** Equal for two nodes that PyYAML reads as the same value. */
export function identityOf(node: YamlNode): string {
  if (node.kind === 'list') return `[${node.items.map(identityOf).join(',')}]`;
  if (node.kind === 'map') {
    const entries = [...node.entries].map(([key, { value }]) => `${key}:${identityOf(value)}`);
    return `{${entries.sort().join(',')}}`;
  }
  if (isNull(node)) return 'null';
  const kind = node.tag ?? (isText(node) ? 'text' : 'plain');
  return JSON.stringify([kind, node.text]);
}

/** `key:` with nothing behind, `~` and `null`. */
export function isNull(node: YamlNode): boolean {
  return node.kind === 'scalar' && node.isPlain && node.tag === undefined && /^(~|null|Null|NULL|)$/.test(node.text);
}

/** True for a scalar that PyYAML reads as a text. */
export function isText(node: YamlScalar): boolean {
  return node.tag === undefined && (!node.isPlain || isTextInPyYaml(node.text));
}
