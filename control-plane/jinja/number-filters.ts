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
    const scale = 10 ** asCount('precision', precision);
    switch (asText('method', method)) {
      case 'common':
        return typeof given === 'bigint' && scale >= 1
          ? given
          : roundHalfToEven(number, asCount('precision', precision));
      case 'ceil':
        return Math.ceil(number * scale) / scale;
      case 'floor':
        return Math.floor(number * scale) / scale;
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

/** Python's `round`: to the nearest, of two equally near the even one. */
function roundHalfToEven(value: number, precision: number): number {
  if (precision > 0) return Number(value.toFixed(Math.min(precision, 100)));
  const scale = 10 ** -precision;
  const scaled = value / scale;
  const floor = Math.floor(scaled);
  const isHalf = scaled - floor === 0.5;
  return (isHalf ? (floor % 2 === 0 ? floor : floor + 1) : Math.round(scaled)) * scale;
}
