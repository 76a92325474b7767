import { parseArguments, parsePostfix, parsePrimary } from './parse-primary.ts';
import type { BinaryOperator, CallArguments, Comparison, Expression, FilterUse } from './syntax-tree.ts';
import type { TokenStream } from './token-stream.ts';

export const noArguments: CallArguments = { positional: [], spread: null, named: [], namedSpread: null };

/** An expression with Jinja's precedences (jinja2/parser.py): condition, or, and, not, comparison, +, ~, *, **, sign. */
export function parseExpression(stream: TokenStream): Expression {
  return stream.nested(() => {
    const { line } = stream;
    let expression = parseOr(stream);
    while (stream.skip('name', 'if')) {
      const test = parseOr(stream);
      const otherwise = stream.skip('name', 'else') ? parseExpression(stream) : null;
      expression = { kind: 'condition', test, value: expression, otherwise, line };
    }
    return expression;
  });
}

/** An expression without `… if …`, as `for` and `if` take. */
export function parseOr(stream: TokenStream): Expression {
  let left = parseAnd(stream);
  while (stream.is('name', 'or')) {
    const { line } = stream.next();
    left = { kind: 'or', left, right: parseAnd(stream), line };
  }
  return left;
}

/** One expression, or several with commas between as a tuple. */
export function parseTuple(stream: TokenStream, parseItem: (stream: TokenStream) => Expression): Expression {
  const { line } = stream;
  const first = parseItem(stream);
  if (!stream.is('operator', ',')) return first;
  const items = [first];
  while (stream.skip('operator', ',')) {
    if (stream.is('block_end') || stream.is('print_end') || stream.is('operator', ')', '=')) break;
    items.push(parseItem(stream));
  }
  return { kind: 'tuple', items, line };
}

/** The filters of `{% filter … %}` and `{% set x | … %}`, the first with its name at the current place. */
export function parseFilterUses(stream: TokenStream): FilterUse[] {
  const filters: FilterUse[] = [];
  do {
    const { value: name, line } = stream.expect('name');
    filters.push({ name, args: stream.is('operator', '(') ? parseArguments(stream) : noArguments, line });
  } while (stream.skip('operator', '|'));
  return filters;
}

function parseAnd(stream: TokenStream): Expression {
  let left = parseNot(stream);
  while (stream.is('name', 'and')) {
    const { line } = stream.next();
    left = { kind: 'and', left, right: parseNot(stream), line };
  }
  return left;
}

function parseNot(stream: TokenStream): Expression {
  if (!stream.is('name', 'not')) return parseComparison(stream);
  const { line } = stream.next();
  return { kind: 'not', operand: stream.nested(() => parseNot(stream)), line };
}

const comparisons = ['==', '!=', '<', '<=', '>', '>='] as const;

function parseComparison(stream: TokenStream): Expression {
  const { line } = stream;
  const first = parseSum(stream);
  const rest: Comparison[] = [];
  for (;;) {
    const operator = comparisonAt(stream);
    if (operator === null) return rest.length === 0 ? first : { kind: 'compare', first, rest, line };
    rest.push({ operator, right: parseSum(stream) });
  }
}

function comparisonAt(stream: TokenStream): Comparison['operator'] | null {
  for (const operator of comparisons) if (stream.skip('operator', operator)) return operator;
  if (stream.skip('name', 'in')) return 'in';
  const after = stream.peek(1);
  if (!stream.is('name', 'not') || after.type !== 'name' || after.value !== 'in') return null;
  stream.next();
  stream.next();
  return 'not in';
}

function parseSum(stream: TokenStream): Expression {
  return parseBinary(stream, ['+', '-'], parseConcat);
}

function parseConcat(stream: TokenStream): Expression {
  const { line } = stream;
  const items = [parseProduct(stream)];
  while (stream.skip('operator', '~')) items.push(parseProduct(stream));
  return items.length === 1 && items[0] !== undefined ? items[0] : { kind: 'concat', items, line };
}

function parseProduct(stream: TokenStream): Expression {
  return parseBinary(stream, ['*', '/', '//', '%'], (inner) => parseBinary(inner, ['**'], parseUnary));
}

function parseBinary(
  stream: TokenStream,
  operators: readonly BinaryOperator[],
  parseOperand: (stream: TokenStream) => Expression,
): Expression {
  let left = parseOperand(stream);
  for (;;) {
    const { line } = stream;
    const operator = operators.find((candidate) => stream.skip('operator', candidate));
    if (operator === undefined) return left;
    left = { kind: 'binary', operator, left, right: parseOperand(stream), line };
  }
}

function parseUnary(stream: TokenStream): Expression {
  return parseFilters(stream, parseSign(stream));
}

/** A sign binds tighter than a filter: `-1 | abs` is 1. */
function parseSign(stream: TokenStream): Expression {
  const { line, value: sign } = stream.current;
  if (!stream.is('operator', '-', '+')) return parsePostfix(stream, parsePrimary(stream));
  stream.next();
  return { kind: 'sign', sign: sign === '-' ? '-' : '+', operand: stream.nested(() => parseSign(stream)), line };
}

function parseFilters(stream: TokenStream, operand: Expression): Expression {
  let expression = operand;
  for (;;) {
    if (stream.skip('operator', '|')) {
      for (const use of parseFilterUse(stream)) expression = { kind: 'filter', operand: expression, ...use };
    } else if (stream.is('name', 'is')) expression = parseTest(stream, expression);
    else if (stream.is('operator', '(')) expression = parsePostfix(stream, expression);
    else return expression;
  }
}

function parseFilterUse(stream: TokenStream): FilterUse[] {
  const { value: name, line } = stream.expect('name');
  return [{ name, args: stream.is('operator', '(') ? parseArguments(stream) : noArguments, line }];
}

function parseTest(stream: TokenStream, operand: Expression): Expression {
  const { line } = stream.next();
  const isNegated = stream.skip('name', 'not');
  const { value: name } = stream.expect('name');
  const test: Expression = { kind: 'test', operand, name, args: parseTestArguments(stream), line };
  return isNegated ? { kind: 'not', operand: test, line } : test;
}

/** In parentheses, or one value without: `is divisibleby 3`. */
function parseTestArguments(stream: TokenStream): CallArguments {
  if (stream.is('operator', '(')) return parseArguments(stream);
  const begins = stream.is('string') || stream.is('integer') || stream.is('float') || stream.is('operator', '[', '{');
  const isWord = stream.is('name') && !stream.is('name', 'else', 'or', 'and', 'if', 'is', 'in', 'not', 'recursive');
  if (!begins && !isWord) return noArguments;
  return { ...noArguments, positional: [parsePostfix(stream, parsePrimary(stream))] };
}
