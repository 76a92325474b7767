import { type Arguments, bindArguments, required } from './arguments.ts';
import { applyBinary, applyComparison, areEqual, contains, numeric } from './operators.ts';
import { textOf } from './python-text.ts';
import type { Comparison } from './syntax-tree.ts';
import { Callable, Instance, isIterable, requireDefined, Undefined, type Value } from './values.ts';

export type ValueTest = (value: Value, args: Arguments) => boolean;

/** Without arguments. */
function plain(name: string, work: (value: Value) => boolean): ValueTest {
  return (value, args) => {
    bindArguments(name, args, []);
    return work(value);
  };
}

function comparing(operator: Comparison['operator']): ValueTest {
  return (value, args) =>
    applyComparison(operator, value, required(operator, 'other', bindArguments(operator, args, ['other'])[0]));
}

function isDivisible(value: Value, by: Value | undefined): boolean {
  return areEqual(applyBinary('%', value, required('divisibleby', 'num', by)), 0n);
}

/** What stands behind `is` (Jinja 3.1, "List of Builtin Tests"; `contains` as in Ansible). */
export const valueTests: Readonly<Record<string, ValueTest>> = {
  defined: plain('defined', (value) => !(value instanceof Undefined)),
  undefined: plain('undefined', (value) => value instanceof Undefined),
  none: plain('none', (value) => value === null),
  boolean: plain('boolean', (value) => typeof value === 'boolean'),
  true: plain('true', (value) => value === true),
  false: plain('false', (value) => value === false),
  integer: plain('integer', (value) => typeof value === 'bigint'),
  float: plain('float', (value) => typeof value === 'number'),
  number: plain('number', (value) => numeric(value) !== null),
  string: plain('string', (value) => typeof value === 'string'),
  mapping: plain('mapping', (value) => value instanceof Map),
  sequence: plain('sequence', isIterable),
  iterable: plain('iterable', isIterable),
  callable: plain(
    'callable',
    (value) => value instanceof Callable || (value instanceof Instance && value.call !== undefined),
  ),
  odd: plain('odd', (value) => areEqual(applyBinary('%', value, 2n), 1n)),
  even: plain('even', (value) => isDivisible(value, 2n)),
  upper: plain('upper', (value) => isCase(value, (text) => text.toUpperCase())),
  lower: plain('lower', (value) => isCase(value, (text) => text.toLowerCase())),
  divisibleby: (value, args) => isDivisible(value, bindArguments('divisibleby', args, ['num'])[0]),
  sameas: (value, args) => {
    const [other] = bindArguments('sameas', args, ['other']);
    return (
      typeof value === typeof other &&
      (value === other || (typeof value !== 'object' && areEqual(value, other ?? null)))
    );
  },
  in: (value, args) => {
    const [list] = bindArguments('in', args, ['seq']);
    return applyComparison('in', value, required('in', 'seq', list));
  },
  contains: (value, args) => {
    const [item] = bindArguments('contains', args, ['value']);
    return contains(requireDefined(value), required('contains', 'value', item));
  },
  eq: comparing('=='),
  equalto: comparing('=='),
  '==': comparing('=='),
  ne: comparing('!='),
  '!=': comparing('!='),
  lt: comparing('<'),
  lessthan: comparing('<'),
  '<': comparing('<'),
  le: comparing('<='),
  '<=': comparing('<='),
  gt: comparing('>'),
  greaterthan: comparing('>'),
  '>': comparing('>'),
  ge: comparing('>='),
  '>=': comparing('>='),
};

function isCase(value: Value, change: (text: string) => string): boolean {
  const text = textOf(value);
  return text === change(text) && text.toUpperCase() !== text.toLowerCase();
}
