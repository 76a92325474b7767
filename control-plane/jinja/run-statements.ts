import { call, evaluate, evaluateArguments } from './evaluate-expression.ts';
import { templateLimits } from './limits.ts';
import { makeLoop, recursionArgument } from './make-loop.ts';
import { makeMacro } from './make-macro.ts';
import { textOf } from './python-text.ts';
import type { Rendering } from './rendering.ts';
import { Scope } from './scope.ts';
import type { Body, Expression, FilterUse, ForStatement, Statement, Target } from './syntax-tree.ts';
import { TemplateFault } from './template-error.ts';
import { Instance, isTruthy, itemsOf, type Value } from './values.ts';

/** Collects what is printed. */
export class Output {
  readonly #parts: string[] = [];
  #length = 0;

  write(text: string): void {
    this.#length += text.length;
    if (this.#length > templateLimits.outputLength) {
      throw new TemplateFault(`the role renders to more than ${templateLimits.outputLength} characters`);
    }
    this.#parts.push(text);
  }

  toString(): string {
    return this.#parts.join('');
  }
}

type Jump = 'break' | 'continue' | undefined;

/** Runs statements in a scope, printing to `output`. @returns `break` or `continue` when one was met. */
export function runBody(body: Body, scope: Scope, rendering: Rendering, output: Output): Jump {
  for (const statement of body) {
    rendering.reach(statement.line);
    const jump = run(statement, scope, rendering, output);
    if (jump !== undefined) return jump;
  }
  return undefined;
}

function run(statement: Statement, scope: Scope, rendering: Rendering, output: Output): Jump {
  switch (statement.kind) {
    case 'text':
      output.write(statement.text);
      return undefined;
    case 'print': {
      const value = evaluate(statement.value, scope, rendering);
      rendering.reach(statement.line);
      output.write(textOf(value));
      return undefined;
    }
    case 'if': {
      const isTrue = isTruthy(evaluate(statement.test, scope, rendering));
      return runBody(isTrue ? statement.body : statement.otherwise, scope, rendering, output);
    }
    case 'for':
      runFor(statement, scope, rendering, output);
      return undefined;
    case 'with': {
      const inner = new Scope(scope);
      for (const [target, value] of statement.values) assign(target, evaluate(value, scope, rendering), inner);
      return runBody(statement.body, inner, rendering, output);
    }
    case 'block':
      return runBody(statement.body, new Scope(scope), rendering, output);
    case 'break':
    case 'continue':
      return statement.kind;
    default:
      output.write(textOf(runDefinition(statement, scope, rendering)));
      return undefined;
  }
}

type Definition = Extract<Statement, { kind: 'set' | 'set_block' | 'macro' | 'call_block' | 'filter_block' | 'do' }>;

/** Statements that set names or make a text of a block. @returns What is printed. */
function runDefinition(statement: Definition, scope: Scope, rendering: Rendering): Value {
  const capture = (body: Body, inner: Scope): string => captured(body, inner, rendering);
  const get = (expression: Expression): Value => evaluate(expression, scope, rendering);
  switch (statement.kind) {
    case 'do':
      get(statement.value);
      return '';
    case 'set':
      assign(statement.target, get(statement.value), scope);
      return '';
    case 'set_block': {
      const text = capture(statement.body, new Scope(scope));
      assign(statement.target, filtered(text, statement.filters, scope, rendering), scope);
      return '';
    }
    case 'filter_block':
      return filtered(capture(statement.body, new Scope(scope)), statement.filters, scope, rendering);
    case 'macro':
      scope.set(statement.name, makeMacro({ ...statement, scope }, rendering, capture));
      return '';
    case 'call_block': {
      const caller = makeMacro({ ...statement, name: 'caller', scope }, rendering, capture);
      const callee = get(statement.call.callee);
      const args = evaluateArguments(statement.call.args, get);
      rendering.reach(statement.line);
      const named = new Map<string, Value>([...args.named, ['caller', caller]]);
      return call(callee, { positional: args.positional, named });
    }
  }
}

function captured(body: Body, scope: Scope, rendering: Rendering): string {
  const output = new Output();
  if (runBody(body, scope, rendering, output) !== undefined) {
    throw new TemplateFault('break and continue must be inside a loop, not inside a block that is captured');
  }
  return output.toString();
}

function filtered(text: string, filters: readonly FilterUse[], scope: Scope, rendering: Rendering): Value {
  return filters.reduce<Value>((value, { name, args, line }) => {
    const values = evaluateArguments(args, (inner) => evaluate(inner, scope, rendering));
    rendering.reach(line);
    return rendering.applyFilter(name, value, values);
  }, text);
}

function runFor(statement: ForStatement, scope: Scope, rendering: Rendering, output: Output): void {
  const iterable = evaluate(statement.iterable, scope, rendering);
  rendering.reach(statement.line);
  loopOver(statement, iterable, { scope, rendering, output, depth: 1 });
}

interface LoopRun {
  readonly scope: Scope;
  readonly rendering: Rendering;
  readonly output: Output;
  readonly depth: number;
}

function loopOver(statement: ForStatement, iterable: Value, { scope, rendering, output, depth }: LoopRun): void {
  const items = itemsOf(iterable).filter((item) => {
    if (statement.condition === null) return true;
    const inner = new Scope(scope);
    assign(statement.target, item, inner);
    return isTruthy(evaluate(statement.condition, inner, rendering));
  });
  if (items.length === 0) {
    runBody(statement.otherwise, new Scope(scope), rendering, output);
    return;
  }
  const recurse = (list: Value): string => {
    const text = new Output();
    rendering.enter('the loop', () => loopOver(statement, list, { scope, rendering, output: text, depth: depth + 1 }));
    return text.toString();
  };
  const loop = makeLoop(items, depth, statement.isRecursive ? (args) => recurse(recursionArgument(args)) : undefined);
  for (const [index, item] of items.entries()) {
    const inner = new Scope(scope);
    loop.moveTo(index);
    inner.set('loop', loop.value);
    assign(statement.target, item, inner);
    if (runBody(statement.body, inner, rendering, output) === 'break') return;
  }
}

function assign(target: Target, value: Value, scope: Scope): void {
  if (target.kind === 'name') scope.set(target.name, value);
  else if (target.kind === 'attribute') {
    const object = scope.get(target.object);
    if (!(object instanceof Instance) || !object.isNamespace) {
      throw new TemplateFault(`${target.object} is no namespace(): only those have attributes that can be set`);
    }
    object.attributes.set(target.name, value);
  } else {
    const items = itemsOf(value);
    if (items.length !== target.items.length) {
      throw new TemplateFault(`${target.items.length} names cannot take ${items.length} value(s)`);
    }
    for (const [index, inner] of target.items.entries()) assign(inner, items[index] ?? null, scope);
  }
}
