import { type Arguments, asCount, bindArguments, required } from './arguments.ts';
import { limitListLength } from './limits.ts';
import { areEqual, compare } from './operators.ts';
import { TemplateFault } from './template-error.ts';
import { Callable, type Dict, isTruthy, itemsOf, present, Tuple, type Value } from './values.ts';

/** A method of Python's `list`, `tuple` or `dict`, or undefined when there is none of that name. */
export function containerMethod(object: Value[] | Tuple | Dict, name: string): Callable | undefined {
  if (Array.isArray(object)) return pick(listMethods, object, name);
  if (object instanceof Map) return pick(dictMethods, object, name);
  return pick(tupleMethods, object.items, name);
}

type Methods<T> = Readonly<Record<string, (object: T, args: Arguments) => Value>>;

function pick<T>(methods: Methods<T>, object: T, name: string): Callable | undefined {
  const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
  return method === undefined ? undefined : new Callable(name, (args) => method(object, args));
}

const tupleMethods: Methods<readonly Value[]> = {
  count: (list, args) => {
    const value = required('count', 'value', bindArguments('count', args, ['value'])[0]);
    return BigInt(list.filter((item) => areEqual(item, value)).length);
  },
  index: (list, args) => BigInt(placeOf(list, args, 'index')),
};

const listMethods: Methods<Value[]> = {
  ...tupleMethods,
  append: (list, args) => {
    limitListLength(list.length + 1);
    list.push(required('append', 'object', bindArguments('append', args, ['object'])[0]));
    return null;
  },
  extend: (list, args) => {
    const items = itemsOf(required('extend', 'iterable', bindArguments('extend', args, ['iterable'])[0]));
    limitListLength(list.length + items.length);
    // Copied first: a list can be extended by itself.
    for (const item of [...items]) list.push(item);
    return null;
  },
  insert: (list, args) => {
    const [index, value] = bindArguments('insert', args, ['index', 'object']);
    limitListLength(list.length + 1);
    list.splice(asCount('the index of insert', index), 0, required('insert', 'object', value));
    return null;
  },
  pop: (list, args) => {
    const index = asCount('the index of pop', bindArguments('pop', args, ['index'])[0] ?? -1n);
    const [value] = list.splice(index < 0 ? list.length + index : index, index + list.length < 0 ? 0 : 1);
    if (value === undefined) throw new TemplateFault('pop from a place that the list does not have');
    return value;
  },
  remove: (list, args) => {
    list.splice(placeOf(list, args, 'remove'), 1);
    return null;
  },
  clear: (list, args) => {
    bindArguments('clear', args, []);
    list.length = 0;
    return null;
  },
  copy: (list, args) => {
    bindArguments('copy', args, []);
    return [...list];
  },
  reverse: (list, args) => {
    bindArguments('reverse', args, []);
    list.reverse();
    return null;
  },
  sort: (list, args) => {
    const [reverse = false] = bindArguments('sort', args, ['reverse']);
    const sign = isTruthy(reverse) ? -1 : 1;
    list.sort((left, right) => sign * compare(left, right));
    return null;
  },
};

const dictMethods: Methods<Dict> = {
  get: (dict, args) => {
    const [key, fallback = null] = bindArguments('get', args, ['key', 'default']);
    return present(dict.get(required('get', 'key', key)), () => fallback);
  },
  keys: (dict, args) => {
    bindArguments('keys', args, []);
    return [...dict.keys()];
  },
  values: (dict, args) => {
    bindArguments('values', args, []);
    return [...dict.values()];
  },
  items: (dict, args) => {
    bindArguments('items', args, []);
    return dictItems(dict);
  },
  copy: (dict, args) => {
    bindArguments('copy', args, []);
    return new Map(dict);
  },
  clear: (dict, args) => {
    bindArguments('clear', args, []);
    dict.clear();
    return null;
  },
  update: (dict, args) => {
    const [other] = bindArguments('update', { positional: args.positional, named: new Map() }, ['other']);
    if (other !== undefined && !(other instanceof Map)) throw new TemplateFault('update takes a dict');
    for (const [key, value] of [...(other ?? []), ...args.named]) dict.set(key, value);
    limitListLength(dict.size);
    return null;
  },
  setdefault: (dict, args) => {
    const [key, fallback = null] = bindArguments('setdefault', args, ['key', 'default']);
    const name = hashable(required('setdefault', 'key', key));
    const value = present(dict.get(name), () => fallback);
    limitListLength(dict.size + 1);
    dict.set(name, value);
    return value;
  },
  pop: (dict, args) => {
    const [key, fallback] = bindArguments('pop', args, ['key', 'default']);
    const name = required('pop', 'key', key);
    const value = dict.has(name) ? dict.get(name) : fallback;
    if (value === undefined) throw new TemplateFault('pop of a key that the dict does not have');
    dict.delete(name);
    return value;
  },
};

/** Pairs of key and value. */
export function dictItems(dict: Dict): Tuple[] {
  return [...dict].map(([key, value]) => new Tuple([key, value]));
}

/** A key of a dict: texts, numbers, booleans, none. */
export function hashable(value: Value): Value {
  if (typeof value === 'object' && value !== null) throw new TemplateFault('a key must be a text or a number');
  // Python holds 1 and 1.0 for one key.
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
}

function placeOf(list: readonly Value[], args: Arguments, name: string): number {
  const value = required(name, 'value', bindArguments(name, args, ['value'])[0]);
  const index = list.findIndex((item) => areEqual(item, value));
  if (index < 0) throw new TemplateFault(`${name}: the value is not in the list`);
  return index;
}
