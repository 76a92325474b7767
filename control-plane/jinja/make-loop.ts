import { type Arguments, bindArguments } from './arguments.ts';
import { areEqual } from './operators.ts';
import { TemplateFault } from './template-error.ts';
import { Callable, Instance, present, Tuple, Undefined, type Value } from './values.ts';

/** `loop` inside a `for` (Jinja 3.1, "For"). */
export interface Loop {
  readonly value: Instance;
  /** Goes to the item at `index`. */
  readonly moveTo: (index: number) => void;
}

/** @param recurse What `loop(list)` does, undefined where the loop is not recursive. */
export function makeLoop(
  items: readonly Value[],
  depth: number,
  recurse: ((args: Arguments) => Value) | undefined,
): Loop {
  let current = 0;
  let lastSeen: Value | undefined;
  const size = items.length;
  const cycle = new Callable('loop.cycle', ({ positional }) => {
    const value = positional[current % positional.length];
    if (value === undefined) throw new TemplateFault('loop.cycle needs values');
    return value;
  });
  const changed = new Callable('loop.changed', ({ positional }) => {
    const value = new Tuple(positional);
    const isNew = lastSeen === undefined || !areEqual(lastSeen, value);
    lastSeen = value;
    return isNew;
  });
  const attributes = new Map<string, Value>([
    ['length', BigInt(size)],
    ['depth', BigInt(depth)],
    ['depth0', BigInt(depth - 1)],
    ['cycle', cycle],
    ['changed', changed],
  ]);
  const options = recurse === undefined ? {} : { call: recurse };
  const value = new Instance('loop', attributes, options);
  const moveTo = (index: number): void => {
    current = index;
    attributes.set('index', BigInt(index + 1));
    attributes.set('index0', BigInt(index));
    attributes.set('revindex', BigInt(size - index));
    attributes.set('revindex0', BigInt(size - index - 1));
    attributes.set('first', index === 0);
    attributes.set('last', index === size - 1);
    attributes.set(
      'previtem',
      present(items[index - 1], () => new Undefined('the first item has no previtem')),
    );
    attributes.set(
      'nextitem',
      present(items[index + 1], () => new Undefined('the last item has no nextitem')),
    );
  };
  return { value, moveTo };
}

/** The list that `loop(list)` is called with. */
export function recursionArgument(args: Arguments): Value {
  return bindArguments('loop', args, ['iterable'])[0] ?? null;
}
