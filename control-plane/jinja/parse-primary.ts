import { parseExpression, parseTuple } from './parse-expression.ts';
import type { CallArguments, Expression } from './syntax-tree.ts';
import { TemplateError } from './template-error.ts';
import type { TokenStream } from './token-stream.ts';

const constants: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
]);

/** A name, a literal, or what stands in brackets. */
export function parsePrimary(stream: TokenStream): Expression {
  const { line, type, value } = stream.current;
  switch (type) {
    case 'name': {
      stream.next();
      const constant = constants.get(value);
      return constant === undefined ? { kind: 'name', name: value, line } : { kind: 'constant', value: constant, line };
    }
    case 'string':
      return { kind: 'constant', value: parseTexts(stream), line };
    case 'integer':
      stream.next();
      return { kind: 'constant', value: BigInt(value), line };
    case 'float':
      stream.next();
      return { kind: 'constant', value: Number(value), line };
    default:
      return parseBracketed(stream);
  }
}

/** Members, items, slices and calls behind a primary. */
export function parsePostfix(stream: TokenStream, primary: Expression): Expression {
  let expression = primary;
  for (;;) {
    const { line } = stream;
    if (stream.skip('operator', '.')) expression = parseMember(stream, expression);
    else if (stream.skip('operator', '[')) expression = parseSubscript(stream, expression, line);
    else if (stream.is('operator', '(')) {
      expression = { kind: 'call', callee: expression, args: parseArguments(stream), line };
    } else return expression;
  }
}

/** The arguments of a call, from `(` to `)`. */
export function parseArguments(stream: TokenStream): CallArguments {
  stream.expect('operator', '(');
  const positional: Expression[] = [];
  const named: { name: string; value: Expression }[] = [];
  let spread: Expression | null = null;
  let namedSpread: Expression | null = null;
  while (!stream.is('operator', ')')) {
    const after = stream.peek(1);
    if (stream.skip('operator', '**')) namedSpread = parseExpression(stream);
    else if (stream.skip('operator', '*')) spread = parseExpression(stream);
    else if (stream.is('name') && after.type === 'operator' && after.value === '=') {
      const name = stream.next().value;
      stream.next();
      named.push({ name, value: parseExpression(stream) });
    } else {
      if (named.length > 0 || spread !== null || namedSpread !== null) {
        throw new TemplateError(stream.line, 'syntax error: an argument without a name after one with a name');
      }
      positional.push(parseExpression(stream));
    }
    if (!stream.skip('operator', ',')) break;
  }
  stream.expect('operator', ')');
  return { positional, spread, named, namedSpread };
}

function parseTexts(stream: TokenStream): string {
  let text = '';
  while (stream.is('string')) text += stream.next().value;
  return text;
}

function parseMember(stream: TokenStream, object: Expression): Expression {
  const { line, type, value } = stream.current;
  if (type === 'integer') {
    stream.next();
    return { kind: 'item', object, index: { kind: 'constant', value: BigInt(value), line }, line };
  }
  stream.expect('name');
  return { kind: 'member', object, name: value, line };
}

function parseSubscript(stream: TokenStream, object: Expression, line: number): Expression {
  const bounds: (Expression | null)[] = [];
  let isSlice = false;
  let pending: Expression | null = null;
  while (!stream.is('operator', ']')) {
    if (stream.skip('operator', ':')) {
      bounds.push(pending);
      pending = null;
      isSlice = true;
    } else if (pending === null) pending = parseExpression(stream);
    else throw stream.unexpected(']');
  }
  stream.next();
  if (!isSlice) {
    if (pending === null) throw new TemplateError(line, 'syntax error: expected an index in []');
    return { kind: 'item', object, index: pending, line };
  }
  bounds.push(pending);
  if (bounds.length > 3) throw new TemplateError(line, 'syntax error: a slice has at most three parts');
  return { kind: 'slice', object, bounds, line };
}

function parseBracketed(stream: TokenStream): Expression {
  const { line } = stream;
  if (stream.skip('operator', '(')) {
    if (stream.skip('operator', ')')) return { kind: 'tuple', items: [], line };
    const inner = parseTuple(stream, parseExpression);
    stream.expect('operator', ')');
    return inner;
  }
  if (stream.skip('operator', '[')) return { kind: 'list', items: parseItems(stream, ']', parseExpression), line };
  if (stream.skip('operator', '{')) return { kind: 'dict', entries: parseItems(stream, '}', parseEntry), line };
  throw stream.unexpected('an expression');
}

function parseItems<T>(stream: TokenStream, end: ']' | '}', parseItem: (stream: TokenStream) => T): T[] {
  const items: T[] = [];
  while (!stream.is('operator', end)) {
    items.push(parseItem(stream));
    if (!stream.skip('operator', ',')) break;
  }
  stream.expect('operator', end);
  return items;
}

function parseEntry(stream: TokenStream): readonly [Expression, Expression] {
  const key = parseExpression(stream);
  stream.expect('operator', ':');
  return [key, parseExpression(stream)];
}
