import type { Arguments } from './arguments.ts';
import { TemplateFault } from './template-error.ts';

/**
 * What a template can hold, by Python's kinds: `bigint` is int, `number` is float, an array is a list, a `Map` a dict.
 * JavaScript objects never get in, so that nothing of the process can be reached through a member's name.
 */
export type Value =
  | string
  | bigint
  | number
  | boolean
  | null
  | Value[]
  | Tuple
  | Dict
  | Undefined
  | Callable
  | Instance;

export type Dict = Map<Value, Value>;

/** A list that cannot change. */
export class Tuple {
  readonly items: readonly Value[];

  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

/** A tuple whose items also have names, as the groups of `groupby`. */
export class NamedTuple extends Tuple {
  readonly names: readonly string[];

  constructor(names: readonly string[], items: readonly Value[]) {
    super(items);
    this.names = names;
  }
}

/** A dict whose missing entries are errors even where other undefined values are just false: `secrets`, `vars`. */
export class StrictDict extends Map<Value, Value> {
  /** `secret`, `variable`: what an entry is, for messages. */
  readonly entryName: string;

  constructor(entryName: string, entries: Iterable<readonly [Value, Value]>) {
    super(entries);
    this.entryName = entryName;
  }
}

/** What has no value; any use but `is defined`, `default`, a condition and a comparison is an error. */
export class Undefined {
  /** A sentence without full stop, `the secret TOKEN does not exist`. */
  readonly reason: string;
  /** Conditions and comparisons are errors as well. */
  readonly isStrict: boolean;

  constructor(reason: string, isStrict = false) {
    this.reason = reason;
    this.isStrict = isStrict;
  }
}

/** A macro, a method, a global function. */
export class Callable {
  readonly name: string;
  readonly call: (args: Arguments) => Value;

  constructor(name: string, call: (args: Arguments) => Value) {
    this.name = name;
    this.call = call;
  }
}

/** An object with attributes of its own: a namespace, `loop`, a cycler. */
export class Instance {
  readonly typeName: string;
  readonly attributes: Map<string, Value>;
  /** Templates may assign attributes. */
  readonly isNamespace: boolean;
  readonly call: ((args: Arguments) => Value) | undefined;

  constructor(
    typeName: string,
    attributes: Map<string, Value>,
    options: { isNamespace?: boolean; call?: (args: Arguments) => Value } = {},
  ) {
    this.typeName = typeName;
    this.attributes = attributes;
    this.isNamespace = options.isNamespace ?? false;
    this.call = options.call;
  }
}

/** Python's name of the value's type. */
export function typeNameOf(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'string') return 'str';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float';
  if (typeof value === 'boolean') return 'bool';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Tuple) return 'tuple';
  if (value instanceof Map) return 'dict';
  if (value instanceof Undefined) return 'undefined';
  return value instanceof Callable ? 'function' : value.typeName;
}

/** The value, unless it is undefined. @throws TemplateFault saying what is undefined. */
export function requireDefined<T extends Value>(value: T): Exclude<T, Undefined> {
  if (value instanceof Undefined) throw new TemplateFault(value.reason);
  return value as Exclude<T, Undefined>;
}

/** The value if there is one, null included: Python's None is a value, which `??` would take for nothing. */
export function present(value: Value | undefined, otherwise: () => Value): Value {
  return value === undefined ? otherwise() : value;
}

/** Truth as Python has it. @throws TemplateFault for a strict undefined value. */
export function isTruthy(value: Value): boolean {
  if (value instanceof Undefined) {
    if (value.isStrict) throw new TemplateFault(`${value.reason}; ask with \`is defined\` where it is optional`);
    return false;
  }
  if (typeof value === 'string' || Array.isArray(value)) return value.length > 0;
  if (typeof value === 'bigint') return value !== 0n;
  if (typeof value === 'number') return value !== 0;
  if (value instanceof Tuple) return value.items.length > 0;
  if (value instanceof Map) return value.size > 0;
  return value !== null && value !== false;
}

/** The items that a loop or a filter goes over: of a dict its keys, of a text its characters. */
export function itemsOf(value: Value): readonly Value[] {
  if (Array.isArray(value)) return value;
  if (value instanceof Tuple) return value.items;
  if (value instanceof Map) return [...value.keys()];
  if (typeof value === 'string') return [...value];
  requireDefined(value);
  throw new TemplateFault(`${typeNameOf(value)} is not a list`);
}

/** True when a loop can go over it. */
export function isIterable(value: Value): boolean {
  return Array.isArray(value) || value instanceof Tuple || value instanceof Map || typeof value === 'string';
}

/** Number of items, characters or entries. */
export function lengthOf(value: Value): number {
  return value instanceof Map ? value.size : itemsOf(value).length;
}

/** A value that came as JSON. */
export function fromJson(value: unknown): Value {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value === 'object') {
    return new Map(Object.entries(value).map(([key, entry]): [Value, Value] => [key, fromJson(entry)]));
  }
  throw new TemplateFault('a value of the context is not JSON');
}
