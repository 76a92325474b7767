import { formatPercent } from './format-text.ts';
import { limitInteger, limitListLength, limitText, limitTextLength } from './limits.ts';
import { textOf } from './python-text.ts';
import type { BinaryOperator, Comparison } from './syntax-tree.ts';
import { TemplateFault } from './template-error.ts';
import { requireDefined, Tuple, typeNameOf, Undefined, type Value } from './values.ts';

/** An arithmetic operator with Python's rules. @throws TemplateFault where Python raises. */
export function applyBinary(operator: BinaryOperator, left: Value, right: Value): Value {
  requireDefined(left);
  requireDefined(right);
  const [a, b] = [numeric(left), numeric(right)];
  if (a !== null && b !== null) return arithmetic(operator, a, b);
  if (operator === '+') {
    if (typeof left === 'string' && typeof right === 'string') return limitText(left + right);
    if (Array.isArray(left) && Array.isArray(right)) return join(left, right);
    if (left instanceof Tuple && right instanceof Tuple) return new Tuple(join(left.items, right.items));
  }
  if (operator === '*' && typeof b === 'bigint') return repeat(left, b);
  if (operator === '*' && typeof a === 'bigint') return repeat(right, a);
  if (operator === '%' && typeof left === 'string') return formatPercent(left, right);
  throw unsupported(operator, left, right);
}

/** `a ~ b`: both as text. */
export function concatenate(values: readonly Value[]): string {
  return limitText(values.map(textOf).join(''));
}

/** `-value` or `+value`. */
export function applySign(sign: '-' | '+', value: Value): Value {
  const number = numeric(requireDefined(value));
  if (number === null) throw new TemplateFault(`${sign} needs a number, not ${typeNameOf(value)}`);
  return sign === '-' ? -number : number;
}

/** One step of a comparison. */
export function applyComparison(operator: Comparison['operator'], left: Value, right: Value): boolean {
  switch (operator) {
    case '==':
      return areEqual(requireLenient(left), requireLenient(right));
    case '!=':
      return !areEqual(requireLenient(left), requireLenient(right));
    case 'in':
      return contains(requireDefined(right), requireLenient(left));
    case 'not in':
      return !contains(requireDefined(right), requireLenient(left));
    default: {
      const order = compare(left, right);
      if (operator === '<') return order < 0;
      if (operator === '<=') return order <= 0;
      return operator === '>' ? order > 0 : order >= 0;
    }
  }
}

/** `==`: numbers by value whatever their type, lists and dicts by their content. */
export function areEqual(left: Value, right: Value): boolean {
  if (left === right) return true;
  const [a, b] = [numeric(left), numeric(right)];
  // biome-ignore lint/suspicious/noDoubleEquals: 1n == 1 is Python's 1 == 1.0
  if (a !== null && b !== null) return a == b;
  if (left instanceof Undefined || right instanceof Undefined) {
    return left instanceof Undefined && right instanceof Undefined;
  }
  if (Array.isArray(left) && Array.isArray(right)) return areListsEqual(left, right);
  if (left instanceof Tuple && right instanceof Tuple) return areListsEqual(left.items, right.items);
  if (left instanceof Map && right instanceof Map) {
    if (left.size !== right.size) return false;
    return [...left].every(([key, value]) => {
      const other = right.get(key);
      return other !== undefined && areEqual(value, other);
    });
  }
  return false;
}

/** Negative, zero or positive. @throws TemplateFault for values that have no order. */
export function compare(left: Value, right: Value): number {
  requireDefined(left);
  requireDefined(right);
  const [a, b] = [numeric(left), numeric(right)];
  if (a !== null && b !== null) return a < b ? -1 : a > b ? 1 : 0;
  if (typeof left === 'string' && typeof right === 'string') return compareTexts(left, right);
  const lists = [left, right].map((value) => (value instanceof Tuple ? value.items : value));
  const [first, second] = lists;
  if (Array.isArray(first) && Array.isArray(second) && Array.isArray(left) === Array.isArray(right)) {
    const differing = first.findIndex((item, index) => index >= second.length || !areEqual(item, second[index]));
    if (differing < 0) return first.length - second.length;
    return differing < second.length ? compare(first[differing], second[differing]) : 1;
  }
  throw new TemplateFault(`${typeNameOf(left)} and ${typeNameOf(right)} have no order`);
}

/** True when the list, dict or text holds the value. */
export function contains(container: Value, value: Value): boolean {
  if (typeof container === 'string') {
    if (typeof value === 'string') return container.includes(value);
    throw new TemplateFault(`in a text only a text can be looked for, not ${typeNameOf(requireDefined(value))}`);
  }
  if (container instanceof Map) return container.has(value);
  const items = container instanceof Tuple ? container.items : container;
  if (Array.isArray(items)) return items.some((item) => areEqual(item, value));
  throw new TemplateFault(`${typeNameOf(container)} is not a list`);
}

/** The value as a number: booleans are 0 and 1. Null: it is none. */
export function numeric(value: Value): bigint | number | null {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  return typeof value === 'bigint' || typeof value === 'number' ? value : null;
}

/** By code points, as Python orders texts. */
function compareTexts(left: string, right: string): number {
  if (left === right) return 0;
  for (let index = 0; ; index += 1) {
    const [a, b] = [left.codePointAt(index), right.codePointAt(index)];
    if (a === undefined || b === undefined) return left.length - right.length;
    if (a !== b) return a - b;
  }
}

function requireLenient(value: Value): Value {
  return value instanceof Undefined && value.isStrict ? requireDefined(value) : value;
}

function areListsEqual(left: readonly Value[], right: readonly Value[]): boolean {
  return left.length === right.length && left.every((item, index) => areEqual(item, right[index] ?? null));
}

function arithmetic(operator: BinaryOperator, left: bigint | number, right: bigint | number): Value {
  if (typeof left === 'bigint' && typeof right === 'bigint' && operator !== '/') return whole(operator, left, right);
  return real(operator, Number(left), Number(right));
}

function whole(operator: Exclude<BinaryOperator, '/'>, left: bigint, right: bigint): Value {
  switch (operator) {
    case '+':
      return limitInteger(left + right);
    case '-':
      return limitInteger(left - right);
    case '*':
      return limitInteger(left * right);
    case '**': {
      if (right < 0n) return real('**', Number(left), Number(right));
      const size = BigInt(left.toString(2).length);
      if (size > 2n && size * right > 2n ** 16n) throw new TemplateFault('a power is too large');
      return limitInteger(left === 0n || left === 1n ? (right === 0n ? 1n : left) : left ** limitExponent(right));
    }
    default: {
      if (right === 0n) throw new TemplateFault('division by zero');
      const rest = left % right;
      const isFloored = rest !== 0n && rest < 0n !== right < 0n;
      if (operator === '%') return isFloored ? rest + right : rest;
      return isFloored ? left / right - 1n : left / right;
    }
  }
}

function limitExponent(exponent: bigint): bigint {
  if (exponent > 65_536n) throw new TemplateFault('a power is too large');
  return exponent;
}

function real(operator: BinaryOperator, left: number, right: number): number {
  const isDivision = operator === '/' || operator === '//' || operator === '%';
  if (isDivision && right === 0) throw new TemplateFault('division by zero');
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    case '//':
      return Math.floor(left / right);
    case '%':
      return remainder(left, right);
    case '**':
      if (left < 0 && !Number.isInteger(right)) throw new TemplateFault('a root of a negative number is none');
      return left ** right;
  }
}

/** With the sign of the divisor, also where it is zero (CPython, float_rem). */
function remainder(left: number, right: number): number {
  const rest = left % right;
  if (rest === 0) return right < 0 ? -0 : 0;
  return rest < 0 === right < 0 ? rest : rest + right;
}

function join(left: readonly Value[], right: readonly Value[]): Value[] {
  limitListLength(left.length + right.length);
  return [...left, ...right];
}

function repeat(value: Value, times: bigint): Value {
  const count = times < 0n ? 0 : Number(times);
  if (typeof value === 'string') {
    limitTextLength(value.length * count);
    return value.repeat(count);
  }
  const items = value instanceof Tuple ? value.items : value;
  if (!Array.isArray(items)) throw unsupported('*', value, times);
  limitListLength(items.length * count);
  const repeated = Array.from({ length: count }, () => items).flat(1) as Value[];
  return value instanceof Tuple ? new Tuple(repeated) : repeated;
}

function unsupported(operator: BinaryOperator, left: Value, right: Value): TemplateFault {
  return new TemplateFault(`${operator} is not possible between ${typeNameOf(left)} and ${typeNameOf(right)}`);
}
