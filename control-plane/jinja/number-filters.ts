import { asCount, asText, bindArguments } from './arguments.ts';
import type { FilterTable } from './filter.ts';
import { numeric } from './operators.ts';
import { TemplateFault } from './template-error.ts';
import { requireDefined, typeNameOf, type Value } from './values.ts';

/** Filters that give numbers (Jinja 3.1, "List of Builtin Filters"). */
export const numberFilters: FilterTable = {
  abs: (value, args) => {
    bindArguments('abs', args, []);
    const number = numberOf('abs', value);
    return number < 0 ? -number : number;
  },
  int: (value, args) => {
    const [fallback = 0n, base = 10n] = bindArguments('int', args, ['default', 'base']);
    return toInteger(requireDefined(value), asCount('base', base)) ?? fallback;
  },
  float: (value, args) => {
    const [fallback = 0] = bindArguments('float', args, ['default']);
    const number = numeric(requireDefined(value));
    if (number !== null) return Number(number);
    return typeof value === 'string' ? (toReal(value) ?? fallback) : fallback;
  },
  round: (value, args) => {
    const [precision = 0n, method = 'common'] = bindArguments('round', args, ['precision', 'method']);
    const given = numberOf('round', value);
    const digitCount = asCount('precision', precision);
    switch (asText('method', method)) {
      case 'common':
        return typeof given === 'bigint' ? roundInteger(given, digitCount) : roundReal(given, digitCount);
      case 'ceil':
        return roundBy(Math.ceil, given, digitCount);
      case 'floor':
        return roundBy(Math.floor, given, digitCount);
      default:
        throw new TemplateFault('the method of round is common, ceil or floor');
    }
  },
};

function numberOf(filter: string, value: Value): bigint | number {
  const number = numeric(requireDefined(value));
  if (number === null) throw new TemplateFault(`${filter} needs a number, not ${typeNameOf(value)}`);
  return number;
}

const digits: ReadonlyMap<number, RegExp> = new Map([
  [2, /^([-+]?)(?:0b)?([01]+)$/i],
  [8, /^([-+]?)(?:0o)?([0-7]+)$/i],
  [10, /^([-+]?)(\d+)$/],
  [16, /^([-+]?)(?:0x)?([\da-f]+)$/i],
]);

function toInteger(value: Value, base: number): bigint | null {
  const number = numeric(value);
  if (number !== null)
    return Number.isFinite(Number(number)) ? BigInt(typeof number === 'number' ? Math.trunc(number) : number) : null;
  if (typeof value !== 'string' || value.length > 1000) return null;
  const pattern = digits.get(base);
  if (pattern === undefined) throw new TemplateFault('the base of int is 2, 8, 10 or 16');
  const match = pattern.exec(value.trim());
  if (match === null) {
    const real = base === 10 ? toReal(value) : null;
    return real === null || !Number.isFinite(real) ? null : BigInt(Math.trunc(real));
  }
  const prefix = { 2: '0b', 8: '0o', 16: '0x' }[base] ?? '';
  const size = BigInt(`${prefix}${match[2]}`);
  return match[1] === '-' ? -size : size;
}

function toReal(text: string): number | null {
  return /^\s*[-+]?(\d+(?:\.\d*)?|\.\d+)(e[-+]?\d+)?\s*$/i.test(text) ? Number(text) : null;
}

/** The largest power of ten that a number holds exactly is 10 ** 22. */
const mostDigits = 22;

/** Jinja's other methods: to a whole number of digits' units upwards or downwards. */
function roundBy(method: (value: number) => number, given: bigint | number, precision: number): number {
  if (typeof given === 'bigint' && precision >= 0) return finite(Number(given));
  if (precision > mostDigits) throw new TemplateFault(`round by ceil or floor takes at most ${mostDigits} digits`);
  const scale = 10 ** precision;
  // Python's ceil and floor give integers: zero is never negative.
  return finite((method(Number(given) * scale) || 0) / scale);
}

/** Python raises an error where this would be infinite or no number. */
function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new TemplateFault('round: the number or its precision is too large');
}

/** Python's `round`: to the nearest, of two equally near the even one; what is rounded to zero keeps its sign. */
function roundReal(value: number, precision: number): number {
  if (!Number.isFinite(value)) return value;
  const size = Math.abs(value);
  const rounded = finite(precision > 0 ? roundFraction(size, precision) : roundWhole(size, precision));
  return value < 0 || Object.is(value, -0) ? -rounded : rounded;
}

/** `precision` is 0 or negative. */
function roundWhole(value: number, precision: number): number {
  const whole = Math.floor(value);
  const fraction = value - whole;
  if (precision < 0) return Number(roundInteger(BigInt(whole), precision, fraction > 0));
  return fraction > 0.5 || (fraction === 0.5 && whole % 2 === 1) ? whole + 1 : whole;
}

/** ECMAScript's `toFixed` is exact up to 100 digits, and takes the larger of two equally near numbers. */
function roundFraction(value: number, precision: number): number {
  // From there on there is no fraction, or none that could be rounded.
  if (value >= 1e21 || precision >= 100) return value;
  const text = value.toFixed(100);
  const kept = text.slice(0, text.indexOf('.') + 1 + precision);
  const isHalf = /^50*$/.test(text.slice(kept.length));
  return Number(isHalf && /[02468]$/.test(kept) ? kept : value.toFixed(precision));
}

/** @param hasMore The number is a fraction larger than `value`. */
function roundInteger(value: bigint, precision: number, hasMore = false): bigint {
  if (precision >= 0) return value;
  const size = value < 0n ? -value : value;
  // Less than a tenth of what it would be rounded to.
  if (-precision > size.toString().length) return 0n;
  const scale = 10n ** BigInt(-precision);
  const [floor, rest] = [size / scale, (size % scale) * 2n];
  const isUp = rest > scale || (rest === scale && (hasMore || floor % 2n === 1n));
  const rounded = (isUp ? floor + 1n : floor) * scale;
  return value < 0n ? -rounded : rounded;
}
