import { RenderError } from '../services.ts';
import { identityOf, isNull, type YamlEntry, type YamlMap, type YamlNode } from './yaml-node.ts';

/**
 * Merges the map of a role into that of roles below it: maps deeply, lists appended without what is there already,
 * scalars replaced. A key without a value changes nothing.
 * @throws RenderError naming both roles and the key where a map, a list and a scalar meet.
 */
export function mergeCloudConfig(low: YamlMap, high: YamlMap): YamlMap {
  return mergeMaps(low, high, []);
}

function mergeMaps(low: YamlMap, high: YamlMap, path: readonly string[]): YamlMap {
  const entries = new Map<string, YamlEntry>(low.entries);
  for (const [id, { key, value }] of high.entries) {
    const below = entries.get(id);
    entries.set(
      id,
      below === undefined ? { key, value } : { key, value: merge(below.value, value, [...path, key.text]) },
    );
  }
  return { kind: 'map', entries, role: high.role };
}

function merge(low: YamlNode, high: YamlNode, path: readonly string[]): YamlNode {
  if (isNull(high)) return low;
  if (isNull(low)) return high;
  if (low.kind === 'map' && high.kind === 'map') return mergeMaps(low, high, path);
  if (low.kind === 'list' && high.kind === 'list') {
    const known = new Set(low.items.map(identityOf));
    return { ...high, items: [...low.items, ...high.items.filter((item) => !known.has(identityOf(item)))] };
  }
  if (low.kind === high.kind) return high;
  const words = { map: 'a map', list: 'a list', scalar: 'a single value' };
  throw new RenderError(
    high.role,
    null,
    `${path.join('.')} is ${words[high.kind]} here but ${words[low.kind]} in the role ${low.role}`,
  );
}
