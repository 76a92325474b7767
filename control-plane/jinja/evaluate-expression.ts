import { getItem, getMember, getSlice } from './access-member.ts';
import type { Arguments } from './arguments.ts';
import { hashable } from './container-methods.ts';
import { applyBinary, applyComparison, applySign, concatenate } from './operators.ts';
import { reprOf } from './python-text.ts';
import type { Rendering } from './rendering.ts';
import type { Scope } from './scope.ts';
import type { CallArguments, Expression } from './syntax-tree.ts';
import { TemplateFault } from './template-error.ts';
import {
  Callable,
  Instance,
  isTruthy,
  itemsOf,
  present,
  requireDefined,
  Tuple,
  typeNameOf,
  Undefined,
  type Value,
} from './values.ts';

/** The value of an expression. @throws TemplateFault, after `rendering` was told the line. */
export function evaluate(node: Expression, scope: Scope, rendering: Rendering): Value {
  rendering.reach(node.line);
  const get = (inner: Expression): Value => evaluate(inner, scope, rendering);
  switch (node.kind) {
    case 'constant':
      return node.value;
    case 'name':
      return present(scope.get(node.name), () => new Undefined(`${node.name} is undefined`));
    case 'list':
      return node.items.map(get);
    case 'tuple':
      return new Tuple(node.items.map(get));
    case 'dict':
      return new Map(node.entries.map(([key, value]): [Value, Value] => [hashable(get(key)), get(value)]));
    case 'member':
      return named(node, getMember(get(node.object), node.name));
    case 'item':
      return named(node, getItem(get(node.object), get(node.index)));
    case 'slice':
      return getSlice(
        get(node.object),
        node.bounds.map((bound) => (bound === null ? null : get(bound))),
      );
    case 'not':
      return !isTruthy(get(node.operand));
    case 'and':
    case 'or': {
      const left = get(node.left);
      return isTruthy(left) === (node.kind === 'and') ? get(node.right) : left;
    }
    case 'condition':
      // Without else Jinja gives an undefined value that prints as nothing.
      return isTruthy(get(node.test)) ? get(node.value) : node.otherwise === null ? '' : get(node.otherwise);
    default:
      return compute(node, scope, rendering);
  }
}

type Computed = Extract<Expression, { kind: 'sign' | 'binary' | 'concat' | 'compare' | 'call' | 'filter' | 'test' }>;

/** Expressions whose own step can fail: the line is told again once their parts, which may lie elsewhere, are known. */
function compute(node: Computed, scope: Scope, rendering: Rendering): Value {
  const get = (inner: Expression): Value => evaluate(inner, scope, rendering);
  switch (node.kind) {
    case 'sign':
      return applySign(node.sign, get(node.operand));
    case 'concat':
      return concatenate(node.items.map(get));
    case 'compare':
      return compareAll(node, get);
    case 'binary': {
      const [left, right] = [get(node.left), get(node.right)];
      rendering.reach(node.line);
      return applyBinary(node.operator, left, right);
    }
    case 'call': {
      const callee = get(node.callee);
      const args = evaluateArguments(node.args, get);
      rendering.reach(node.line);
      return call(callee, args);
    }
    case 'filter':
    case 'test': {
      const value = get(node.operand);
      const args = evaluateArguments(node.args, get);
      rendering.reach(node.line);
      return node.kind === 'filter'
        ? rendering.applyFilter(node.name, value, args)
        : rendering.applyTest(node.name, value, args);
    }
  }
}

/** Calls a macro, method or function. @throws TemplateFault for anything else. */
export function call(callee: Value, args: Arguments): Value {
  requireDefined(callee);
  const work = callee instanceof Callable || callee instanceof Instance ? callee.call : undefined;
  if (work === undefined) throw new TemplateFault(`${typeNameOf(callee)} is not a function`);
  return work(args);
}

/** The arguments of a call, `*` and `**` spread out. */
export function evaluateArguments(args: CallArguments, get: (expression: Expression) => Value): Arguments {
  const positional = args.positional.map(get);
  if (args.spread !== null) positional.push(...itemsOf(get(args.spread)));
  const named = new Map(args.named.map(({ name, value }): [string, Value] => [name, get(value)]));
  if (args.namedSpread !== null) {
    const more = get(args.namedSpread);
    if (!(more instanceof Map)) throw new TemplateFault('** needs a dict');
    for (const [name, value] of more) {
      if (typeof name !== 'string') throw new TemplateFault('the keys of ** must be names');
      named.set(name, value);
    }
  }
  return { positional, named };
}

function compareAll(node: Extract<Expression, { kind: 'compare' }>, get: (inner: Expression) => Value): boolean {
  let left = get(node.first);
  for (const { operator, right: expression } of node.rest) {
    const right = get(expression);
    if (!applyComparison(operator, left, right)) return false;
    left = right;
  }
  return true;
}

/** An undefined value says how the template names it. */
function named(node: Expression, value: Value): Value {
  if (!(value instanceof Undefined) || value.isStrict) return value;
  const path = pathOf(node);
  return path === null ? value : new Undefined(`${path} is undefined`);
}

function pathOf(node: Expression): string | null {
  if (node.kind === 'name') return node.name;
  if (node.kind !== 'member' && node.kind !== 'item') return null;
  const object = pathOf(node.object);
  if (object === null) return null;
  if (node.kind === 'member') return `${object}.${node.name}`;
  return node.index.kind === 'constant' ? `${object}[${reprOf(node.index.value)}]` : null;
}
