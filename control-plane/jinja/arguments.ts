import { TemplateFault } from './template-error.ts';
import { requireDefined, typeNameOf, type Value } from './values.ts';

/** What a function, filter or test is called with. */
export interface Arguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

export const noValues: Arguments = { positional: [], named: new Map() };

/**
 * The arguments in the order of `parameters`, by place or by name; undefined for what was not given.
 * @throws TemplateFault for too many, unknown or doubled arguments.
 */
export function bindArguments(owner: string, args: Arguments, parameters: readonly string[]): (Value | undefined)[] {
  if (args.positional.length > parameters.length) {
    throw new TemplateFault(`${owner} takes at most ${parameters.length} argument(s), got ${args.positional.length}`);
  }
  const values: (Value | undefined)[] = parameters.map((_, index) => args.positional[index]);
  for (const [name, value] of args.named) {
    const index = parameters.indexOf(name);
    if (index < 0) throw new TemplateFault(`${owner} has no argument named ${name}`);
    if (values[index] !== undefined) throw new TemplateFault(`${owner} got its argument ${name} twice`);
    values[index] = value;
  }
  return values;
}

/** Says that a required argument is missing, or gives it. */
export function required(owner: string, name: string, value: Value | undefined): Value {
  if (value === undefined) throw new TemplateFault(`${owner} needs its argument ${name}`);
  return requireDefined(value);
}

/** A text. @param what Named in the message, `the argument of b64encode`. */
export function asText(what: string, value: Value | undefined): string {
  if (typeof value === 'string') return value;
  throw new TemplateFault(`${what} must be a text, not ${describe(value)}`);
}

/** A whole number that JavaScript can count with. */
export function asCount(what: string, value: Value | undefined): number {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) return Number(value);
  throw new TemplateFault(`${what} must be a whole number, not ${describe(value)}`);
}

function describe(value: Value | undefined): string {
  return value === undefined ? 'nothing' : typeNameOf(requireDefined(value));
}
