import { asCount } from './arguments.ts';
import { containerMethod } from './container-methods.ts';
import { reprOf } from './python-text.ts';
import { TemplateFault } from './template-error.ts';
import { textMethod } from './text-methods.ts';
import {
  Instance,
  NamedTuple,
  present,
  requireDefined,
  StrictDict,
  Tuple,
  typeNameOf,
  Undefined,
  type Value,
} from './values.ts';

/** `object.name`: a method first, then an entry, as Jinja's `getattr` does. */
export function getMember(object: Value, name: string): Value {
  requireDefined(object);
  if (object instanceof Instance) return present(object.attributes.get(name), () => missing(object, name));
  if (object instanceof NamedTuple && object.names.includes(name)) {
    return present(object.items[object.names.indexOf(name)], () => missing(object, name));
  }
  const entry = object instanceof Map ? object.get(name) : undefined;
  // The names of secrets and variables are the account's to choose: they go before methods.
  if (object instanceof StrictDict && entry !== undefined) return entry;
  return present(methodOf(object, name), () => present(entry, () => missing(object, name)));
}

/** `object[index]`: an entry or item first, then a method. */
export function getItem(object: Value, index: Value): Value {
  requireDefined(object);
  requireDefined(index);
  if (object instanceof Map) {
    const key = typeof index === 'number' && Number.isSafeInteger(index) ? BigInt(index) : index;
    const value = object.get(key);
    if (value !== undefined) return value;
  }
  if (typeof index === 'string') return getMember(object, index);
  if (object instanceof Map) return missing(object, reprOf(index));
  const items = sequenceOf(object);
  if (items === null) return new Undefined(`${typeNameOf(object)} has no items`);
  const place = asCount('the index of a list', index);
  const reason = `a ${typeNameOf(object)} of ${items.length} has no item ${place}`;
  return present(items.at(place), () => new Undefined(reason));
}

/** `a.b.0`: what `attribute=` of filters means. */
export function getPath(object: Value, path: Value): Value {
  if (typeof path === 'bigint') return getItem(object, path);
  if (typeof path !== 'string') throw new TemplateFault('an attribute must be a name');
  return path
    .split('.')
    .reduce<Value>((value, part) => getItem(value, /^\d+$/.test(part) ? BigInt(part) : part), object);
}

/** `object[start:stop:step]` of a list or a text (Python language reference, 6.3.3). */
export function getSlice(object: Value, bounds: readonly Value[]): Value {
  const items = sequenceOf(requireDefined(object));
  if (items === null) return new Undefined(`${typeNameOf(object)} cannot be sliced`);
  const [start = null, stop = null, step = null] = bounds;
  const by = step === null ? 1 : asCount('the step of a slice', step);
  if (by === 0) throw new TemplateFault('the step of a slice cannot be zero');
  const size = items.length;
  const clamp = (bound: Value, fallback: number): number => {
    if (bound === null) return fallback;
    const place = asCount('the bound of a slice', bound);
    const fromStart = place < 0 ? place + size : place;
    return by > 0 ? Math.min(Math.max(fromStart, 0), size) : Math.min(Math.max(fromStart, -1), size - 1);
  };
  const [first, last] = [clamp(start, by > 0 ? 0 : size - 1), clamp(stop, by > 0 ? size : -1)];
  const picked: Value[] = [];
  for (let index = first; by > 0 ? index < last : index > last; index += by) picked.push(items[index] ?? null);
  if (typeof object === 'string') return picked.join('');
  return object instanceof Tuple ? new Tuple(picked) : picked;
}

function sequenceOf(value: Value): readonly Value[] | null {
  if (typeof value === 'string') return [...value];
  if (value instanceof Tuple) return value.items;
  return Array.isArray(value) ? value : null;
}

function methodOf(object: Value, name: string): Value | undefined {
  if (typeof object === 'string') return textMethod(object, name);
  if (Array.isArray(object) || object instanceof Tuple || object instanceof Map) return containerMethod(object, name);
  return undefined;
}

function missing(object: Value, name: string): Undefined {
  if (object instanceof StrictDict) return new Undefined(`the ${object.entryName} ${name} does not exist`, true);
  return new Undefined(`${typeNameOf(object)} has no attribute or entry named ${name}`);
}
