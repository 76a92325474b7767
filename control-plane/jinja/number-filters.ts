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
    const number = Number(given);
    const digitCount = asCount('precision', precision);
    const scale = 10 ** digitCount;
    switch (asText('method', method)) {
      case 'common':
        return typeof given === 'bigint' ? roundInteger(given, digitCount) : roundReal(given, digitCount);
      case 'ceil':
        return withoutSign(Math.ceil(number * scale)) / scale;
      case 'floor':
        return withoutSign(Math.floor(number * scale)) / scale;
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

/** Zero is never negative: Python's `ceil` and `floor` give integers. */
function withoutSign(value: number): number {
  return value === 0 ? 0 : value;
}

/** Python's `round`: to the nearest, of two equally near the even one; what is rounded to zero keeps its sign. */
function roundReal(value: number, precision: number): number {
  const size = Math.abs(value);
  const rounded = precision > 0 ? roundFraction(size, precision) : roundWhole(size, 10 ** -precision);
  return value < 0 || Object.is(value, -0) ? -rounded : rounded;
}

function roundWhole(value: number, scale: number): number {
  const scaled = value / scale;
  const floor = Math.floor(scaled);
  const isHalf = scaled - floor === 0.5;
  return (isHalf ? (floor % 2 === 0 ? floor : floor + 1) : Math.round(scaled)) * scale;
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

function roundInteger(value: bigint, precision: number): bigint {
  if (precision >= 0) return value;
  // More digits than a power can have (operators.ts).
  const scale = 10n ** BigInt(Math.min(-precision, 20_000));
  const size = value < 0n ? -value : value;
  const [floor, rest] = [size / scale, (size % scale) * 2n];
  const isUp = rest > scale || (rest === scale && floor % 2n === 1n);
  const rounded = (isUp ? floor + 1n : floor) * scale;
  return value < 0n ? -rounded : rounded;
}
