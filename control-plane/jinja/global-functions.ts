import { asCount, asText, bindArguments, required } from './arguments.ts';
import { limitListLength } from './limits.ts';
import { TemplateFault } from './template-error.ts';
import { Callable, Instance, present, type Value } from './values.ts';

/** The functions that every template has (Jinja 3.1, "List of Global Functions", but for `lipsum`). */
export function globalFunctions(): Map<string, Value> {
  const functions = [
    new Callable('range', (args) => {
      const [first, second, third = 1n] = bindArguments('range', args, ['start', 'stop', 'step']);
      const [start, stop] = second === undefined ? [0n, first] : [first, second];
      const bounds = [start, required('range', 'stop', stop), third].map((value) =>
        asCount('the bound of range', value),
      );
      return range(bounds[0] ?? 0, bounds[1] ?? 0, bounds[2] ?? 1);
    }),
    new Callable('dict', ({ positional, named }) => {
      const [base] = bindArguments('dict', { positional, named: new Map() }, ['mapping']);
      if (base !== undefined && !(base instanceof Map)) throw new TemplateFault('dict takes a dict or names');
      return new Map<Value, Value>([...(base ?? []), ...named]);
    }),
    new Callable('namespace', ({ positional, named }) => {
      const [base] = bindArguments('namespace', { positional, named: new Map() }, ['mapping']);
      if (base !== undefined && !(base instanceof Map)) throw new TemplateFault('namespace takes a dict or names');
      const given = [...(base ?? [])].map(([key, value]): [string, Value] => [asText('a name', key), value]);
      return new Instance('namespace', new Map([...given, ...named]), { isNamespace: true });
    }),
    new Callable('cycler', ({ positional }) => cycler(positional)),
    new Callable('joiner', (args) => {
      const [separator = ', '] = bindArguments('joiner', args, ['sep']);
      let isUsed = false;
      const call = (): Value => {
        const text = isUsed ? separator : '';
        isUsed = true;
        return text;
      };
      return new Instance('joiner', new Map(), { call });
    }),
  ];
  return new Map(functions.map((value): [string, Value] => [value.name, value]));
}

function range(start: number, stop: number, step: number): bigint[] {
  if (step === 0) throw new TemplateFault('the step of range cannot be zero');
  const length = Math.max(0, Math.ceil((stop - start) / step));
  limitListLength(length);
  return Array.from({ length }, (_, index) => BigInt(start + index * step));
}

function cycler(items: readonly Value[]): Instance {
  const first = items[0];
  if (first === undefined) throw new TemplateFault('cycler needs values');
  let position = 0;
  const attributes = new Map<string, Value>([['current', first]]);
  const move = (next: number): void => {
    position = next % items.length;
    attributes.set(
      'current',
      present(items[position], () => first),
    );
  };
  const next = (): Value => {
    const value = present(items[position], () => first);
    move(position + 1);
    return value;
  };
  attributes.set('next', new Callable('next', next));
  const reset = (): Value => {
    move(0);
    return null;
  };
  attributes.set('reset', new Callable('reset', reset));
  return new Instance('cycler', attributes);
}
