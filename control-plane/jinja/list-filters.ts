import { getPath } from './access-member.ts';
import { type Arguments, asCount, asText, bindArguments, required } from './arguments.ts';
import { dictItems } from './container-methods.ts';
import type { FilterTable } from './filter.ts';
import { limitListLength, limitTextLength } from './limits.ts';
import { applyBinary, areEqual, compare } from './operators.ts';
import { textOf } from './python-text.ts';
import { TemplateFault } from './template-error.ts';
import { isTruthy, itemsOf, lengthOf, NamedTuple, present, requireDefined, Undefined, type Value } from './values.ts';

/** Filters whose value is a list or a dict (Jinja 3.1, "List of Builtin Filters"). */
export const listFilters: FilterTable = {
  default: useDefault,
  d: useDefault,
  length: countItems,
  count: countItems,
  list: (value, args) => {
    bindArguments('list', args, []);
    return [...itemsOf(value)];
  },
  first: (value, args) => {
    bindArguments('first', args, []);
    return present(itemsOf(value)[0], () => new Undefined('the first of an empty list is undefined'));
  },
  last: (value, args) => {
    bindArguments('last', args, []);
    return present(itemsOf(value).at(-1), () => new Undefined('the last of an empty list is undefined'));
  },
  join: (value, args) => {
    const [separator = '', attribute = null] = bindArguments('join', args, ['d', 'attribute']);
    const mark = textOf(separator);
    const texts = itemsOf(value).map((item) => textOf(attribute === null ? item : getPath(item, attribute)));
    limitTextLength(texts.reduce((sum, text) => sum + text.length + mark.length, 0));
    return texts.join(mark);
  },
  reverse: (value, args) => {
    bindArguments('reverse', args, []);
    const items = [...itemsOf(value)].reverse();
    return typeof value === 'string' ? items.join('') : items;
  },
  sort: (value, args) => {
    const names = ['reverse', 'case_sensitive', 'attribute'];
    const [reverse = false, isCaseSensitive = false, attribute = null] = bindArguments('sort', args, names);
    return sortBy([...itemsOf(value)], attribute, {
      isReverse: isTruthy(reverse),
      isCaseSensitive: isTruthy(isCaseSensitive),
    });
  },
  dictsort: (value, args) => {
    const names = ['case_sensitive', 'by', 'reverse'];
    const [isCaseSensitive = false, by = 'key', reverse = false] = bindArguments('dictsort', args, names);
    if (!(value instanceof Map)) throw new TemplateFault('dictsort needs a dict');
    const place = ['key', 'value'].indexOf(asText('by', by));
    if (place < 0) throw new TemplateFault('dictsort sorts by key or by value');
    const options = { isReverse: isTruthy(reverse), isCaseSensitive: isTruthy(isCaseSensitive) };
    return sortBy(dictItems(value), BigInt(place), options);
  },
  items: (value, args) => {
    bindArguments('items', args, []);
    if (value instanceof Undefined && !value.isStrict) return [];
    if (!(requireDefined(value) instanceof Map)) throw new TemplateFault('items needs a dict');
    return value instanceof Map ? dictItems(value) : [];
  },
  unique: (value, args) => {
    const [isCaseSensitive = false, attribute = null] = bindArguments('unique', args, ['case_sensitive', 'attribute']);
    const kept: Value[] = [];
    const keys: Value[] = [];
    const seen = new Set<Value>();
    for (const item of itemsOf(value)) {
      const key = sortKey(item, attribute, isTruthy(isCaseSensitive));
      const isSimple = typeof key !== 'object';
      if (isSimple ? seen.has(key) : keys.some((other) => areEqual(other, key))) continue;
      if (isSimple) seen.add(key);
      else keys.push(key);
      kept.push(item);
    }
    return kept;
  },
  min: (value, args) => extreme('min', value, args, -1),
  max: (value, args) => extreme('max', value, args, 1),
  sum: (value, args) => {
    const [attribute = null, start = 0n] = bindArguments('sum', args, ['attribute', 'start']);
    const items = itemsOf(value).map((item) => (attribute === null ? item : getPath(item, attribute)));
    return items.reduce((total, item) => applyBinary('+', total, item), start);
  },
  groupby: (value, args) => {
    const [attribute, fallback = null, isCaseSensitive = false] = bindArguments('groupby', args, [
      'attribute',
      'default',
      'case_sensitive',
    ]);
    return groupBy(itemsOf(value), required('groupby', 'attribute', attribute), fallback, isTruthy(isCaseSensitive));
  },
  batch: (value, args) => {
    const [size, fill = null] = bindArguments('batch', args, ['linecount', 'fill_with']);
    const width = asCount('the size of batch', required('batch', 'linecount', size));
    if (width < 1) throw new TemplateFault('the size of batch must be at least 1');
    limitListLength(width);
    const items = itemsOf(value);
    const rows: Value[][] = [];
    for (let start = 0; start < items.length; start += width) rows.push(items.slice(start, start + width));
    const last = rows.at(-1);
    while (last !== undefined && fill !== null && last.length < width) last.push(fill);
    return rows;
  },
  slice: (value, args) => {
    const [count, fill = null] = bindArguments('slice', args, ['slices', 'fill_with']);
    const columns = asCount('the number of slices', required('slice', 'slices', count));
    if (columns < 1) throw new TemplateFault('the number of slices must be at least 1');
    limitListLength(columns);
    const items = itemsOf(value);
    const [small, larger] = [Math.floor(items.length / columns), items.length % columns];
    return Array.from({ length: columns }, (_, index) => {
      const start = index * small + Math.min(index, larger);
      const part = items.slice(start, start + small + (index < larger ? 1 : 0));
      return fill !== null && index >= larger && larger > 0 ? [...part, fill] : part;
    });
  },
};

function useDefault(value: Value, args: Arguments): Value {
  const [fallback = '', boolean = false] = bindArguments('default', args, ['default_value', 'boolean']);
  if (value instanceof Undefined) return fallback;
  return isTruthy(boolean) && !isTruthy(value) ? fallback : value;
}

function countItems(value: Value, args: Arguments): Value {
  bindArguments('length', args, []);
  return BigInt(lengthOf(value));
}

function sortKey(item: Value, attribute: Value, isCaseSensitive: boolean): Value {
  const key = requireDefined(attribute === null ? item : getPath(item, attribute));
  return typeof key === 'string' && !isCaseSensitive ? key.toLowerCase() : key;
}

/** Stable, also in reverse. @param attribute One path, or several with commas between. */
function sortBy<T extends Value>(
  items: readonly T[],
  attribute: Value,
  { isReverse, isCaseSensitive }: { isReverse: boolean; isCaseSensitive: boolean },
): T[] {
  const paths = typeof attribute === 'string' ? attribute.split(',').map((path) => path.trim()) : [attribute];
  const keyed = items.map((item) => ({ item, keys: paths.map((path) => sortKey(item, path, isCaseSensitive)) }));
  const sign = isReverse ? -1 : 1;
  keyed.sort((left, right) => {
    for (const [index, key] of left.keys.entries()) {
      const order = compare(key, right.keys[index] ?? null);
      if (order !== 0) return sign * order;
    }
    return 0;
  });
  return keyed.map(({ item }) => item);
}

function extreme(name: string, value: Value, args: Arguments, sign: 1 | -1): Value {
  const [isCaseSensitive = false, attribute = null] = bindArguments(name, args, ['case_sensitive', 'attribute']);
  const [first, ...rest] = itemsOf(value);
  if (first === undefined) return new Undefined(`the ${name} of an empty list is undefined`);
  const keyOf = (item: Value): Value => sortKey(item, attribute, isTruthy(isCaseSensitive));
  return rest.reduce<Value>((best, item) => (sign * compare(keyOf(item), keyOf(best)) > 0 ? item : best), first);
}

function groupBy(items: readonly Value[], attribute: Value, fallback: Value, isCaseSensitive: boolean): Value[] {
  const groups: { key: Value; folded: Value; list: Value[] }[] = [];
  const resolved = items.map((item) => {
    const found = getPath(item, attribute);
    const key = found instanceof Undefined && fallback !== null ? fallback : requireDefined(found);
    return { item, key, folded: typeof key === 'string' && !isCaseSensitive ? key.toLowerCase() : key };
  });
  resolved.sort((left, right) => compare(left.folded, right.folded));
  for (const { item, key, folded } of resolved) {
    const last = groups.at(-1);
    if (last !== undefined && areEqual(last.folded, folded)) last.list.push(item);
    else groups.push({ key, folded, list: [item] });
  }
  return groups.map(({ key, list }) => new NamedTuple(['grouper', 'list'], [key, list]));
}
