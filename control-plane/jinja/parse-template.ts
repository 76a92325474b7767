import { parseExpression, parseFilterUses, parseOr, parseTuple } from './parse-expression.ts';
import type { Body, Expression, Parameter, Statement, Target } from './syntax-tree.ts';
import { TemplateError } from './template-error.ts';
import { TokenStream } from './token-stream.ts';
import { tokenizeTemplate } from './tokenize-template.ts';

/** @throws TemplateError with the line of the first syntax error. */
export function parseTemplate(template: string): Body {
  const stream = new TokenStream(tokenizeTemplate(template));
  const body = parseBody(stream, []);
  if (!stream.is('end')) throw stream.unexpected('the end of the template');
  return body;
}

/** Statements until a tag whose name is one of `ends`, which stays; at the top, until the end. */
function parseBody(stream: TokenStream, ends: readonly string[]): Body {
  return stream.nested(() => {
    const beginLine = stream.line;
    const body: Statement[] = [];
    for (;;) {
      const { line } = stream;
      if (stream.is('end')) {
        if (ends.length === 0) return body;
        throw new TemplateError(beginLine, `syntax error: {% ${ends.at(-1)} %} is missing for the tag of this line`);
      }
      if (stream.is('text')) body.push({ kind: 'text', text: stream.next().value, line });
      else if (stream.skip('print_begin')) {
        body.push({ kind: 'print', value: parseTuple(stream, parseExpression), line });
        stream.expect('print_end');
      } else {
        if (ends.includes(stream.peek(1).value) && stream.is('block_begin')) return body;
        stream.expect('block_begin');
        body.push(parseStatement(stream));
      }
    }
  });
}

const foreignTags = ['include', 'import', 'from', 'extends'];

const statements: Readonly<Record<string, (stream: TokenStream, line: number) => Statement>> = {
  if: parseIf,
  for: parseFor,
  set: parseSet,
  with: parseWith,
  macro: parseMacro,
  call: parseCall,
  filter: (stream, line) => {
    const filters = parseFilterUses(stream);
    return { kind: 'filter_block', filters, body: parseBlockBody(stream, 'endfilter'), line };
  },
  block: (stream, line) => {
    const { value: name } = stream.expect('name');
    stream.skip('name', 'scoped');
    const body = parseBlockBody(stream, 'endblock', () => void stream.skip('name', name));
    return { kind: 'block', body, line };
  },
  do: (stream, line) => ({ kind: 'do', value: endTag(stream, parseTuple(stream, parseExpression)), line }),
  break: (stream, line) => endTag(stream, { kind: 'break', line }),
  continue: (stream, line) => endTag(stream, { kind: 'continue', line }),
};

function parseStatement(stream: TokenStream): Statement {
  const { value: name, line } = stream.expect('name');
  const parse = Object.hasOwn(statements, name) ? statements[name] : undefined;
  if (parse !== undefined) return parse(stream, line);
  if (foreignTags.includes(name)) {
    throw new TemplateError(line, `{% ${name} %} is not possible: a role's template stands alone`);
  }
  throw new TemplateError(line, `syntax error: unknown tag {% ${name} %}`);
}

/** What stands between this tag's end and `{% END %}`, both taken. */
function parseBlockBody(stream: TokenStream, end: string, afterEnd: () => void = () => {}): Body {
  stream.expect('block_end');
  const body = parseBody(stream, [end]);
  stream.expect('block_begin');
  stream.expect('name', end);
  afterEnd();
  stream.expect('block_end');
  return body;
}

function endTag<T>(stream: TokenStream, value: T): T {
  stream.expect('block_end');
  return value;
}

function parseIf(stream: TokenStream, line: number): Statement {
  const test = parseTuple(stream, parseOr);
  stream.expect('block_end');
  const body = parseBody(stream, ['elif', 'else', 'endif']);
  stream.expect('block_begin');
  const { value: tag, line: tagLine } = stream.next();
  if (tag === 'elif') {
    return { kind: 'if', test, body, otherwise: [stream.nested(() => parseIf(stream, tagLine))], line };
  }
  if (tag === 'else') return { kind: 'if', test, body, otherwise: parseBlockBody(stream, 'endif'), line };
  return endTag(stream, { kind: 'if', test, body, otherwise: [], line });
}

function parseFor(stream: TokenStream, line: number): Statement {
  const target = parseTarget(stream);
  stream.expect('name', 'in');
  const iterable = parseTuple(stream, parseOr);
  const condition = stream.skip('name', 'if') ? parseExpression(stream) : null;
  const isRecursive = stream.skip('name', 'recursive');
  stream.expect('block_end');
  const body = parseBody(stream, ['else', 'endfor']);
  stream.expect('block_begin');
  const hasElse = stream.next().value === 'else';
  const otherwise = hasElse ? parseBlockBody(stream, 'endfor') : endTag(stream, []);
  return { kind: 'for', target, iterable, condition, isRecursive, body, otherwise, line };
}

function parseSet(stream: TokenStream, line: number): Statement {
  const target = parseTarget(stream);
  if (stream.skip('operator', '=')) {
    return endTag(stream, { kind: 'set', target, value: parseTuple(stream, parseExpression), line });
  }
  const filters = stream.skip('operator', '|') ? parseFilterUses(stream) : [];
  return { kind: 'set_block', target, filters, body: parseBlockBody(stream, 'endset'), line };
}

function parseWith(stream: TokenStream, line: number): Statement {
  const values: [Target, Expression][] = [];
  while (!stream.is('block_end')) {
    const target = parseOneTarget(stream);
    stream.expect('operator', '=');
    values.push([target, parseExpression(stream)]);
    if (!stream.skip('operator', ',')) break;
  }
  return { kind: 'with', values, body: parseBlockBody(stream, 'endwith'), line };
}

function parseMacro(stream: TokenStream, line: number): Statement {
  const { value: name } = stream.expect('name');
  const parameters = parseParameters(stream);
  const body = parseBlockBody(stream, 'endmacro', () => void stream.skip('name', name));
  return { kind: 'macro', name, parameters, body, line };
}

function parseCall(stream: TokenStream, line: number): Statement {
  const parameters = stream.is('operator', '(') ? parseParameters(stream) : [];
  const expression = parseExpression(stream);
  const call = expression.kind === 'call' ? expression : undefined;
  if (call === undefined) throw new TemplateError(line, 'syntax error: {% call %} needs the call of a macro');
  return {
    kind: 'call_block',
    parameters,
    call: call,
    body: parseBlockBody(stream, 'endcall'),
    line,
  };
}

function parseParameters(stream: TokenStream): Parameter[] {
  stream.expect('operator', '(');
  const parameters: Parameter[] = [];
  while (!stream.is('operator', ')')) {
    const { value: name, line } = stream.expect('name');
    const defaultValue = stream.skip('operator', '=') ? parseExpression(stream) : null;
    if (defaultValue === null && parameters.at(-1)?.defaultValue) {
      throw new TemplateError(line, 'syntax error: a parameter without default after one with');
    }
    if (parameters.some((other) => other.name === name)) {
      throw new TemplateError(line, `syntax error: two parameters have the name ${name}`);
    }
    parameters.push({ name, defaultValue });
    if (!stream.skip('operator', ',')) break;
  }
  stream.expect('operator', ')');
  return parameters;
}

/** A name, `namespace.attribute`, or several with commas. */
function parseTarget(stream: TokenStream): Target {
  const { line } = stream;
  const first = parseOneTarget(stream);
  if (!stream.is('operator', ',')) return first;
  const items = [first];
  while (stream.skip('operator', ',') && !stream.is('name', 'in') && !stream.is('operator', '=', ')')) {
    items.push(parseOneTarget(stream));
  }
  return { kind: 'tuple', items, line };
}

function parseOneTarget(stream: TokenStream): Target {
  const { line } = stream;
  if (stream.skip('operator', '(')) {
    const inner = stream.nested(() => parseTarget(stream));
    stream.expect('operator', ')');
    return inner;
  }
  const { value: name } = stream.expect('name');
  if (!stream.skip('operator', '.')) return { kind: 'name', name, line };
  return { kind: 'attribute', object: name, name: stream.expect('name').value, line };
}
