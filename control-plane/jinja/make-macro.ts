import type { Arguments } from './arguments.ts';
import { evaluate } from './evaluate-expression.ts';
import type { Rendering } from './rendering.ts';
import { Scope } from './scope.ts';
import type { Body, Parameter } from './syntax-tree.ts';
import { TemplateFault } from './template-error.ts';
import { Callable, present, Tuple, Undefined, type Value } from './values.ts';

export interface MacroSource {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly body: Body;
  /** Where the macro stands. */
  readonly scope: Scope;
}

/** A macro, or the body of `{% call %}`, as something that can be called (Jinja 3.1, "Macros" and "Call"). */
export function makeMacro(
  source: MacroSource,
  rendering: Rendering,
  capture: (body: Body, scope: Scope) => string,
): Callable {
  const { name, parameters, body } = source;
  const takesMore = mentions(body, 'varargs');
  const takesNames = mentions(body, 'kwargs');
  return new Callable(name, (args) =>
    rendering.enter(`the macro ${name}`, () => {
      const scope = new Scope(source.scope);
      const rest = bindParameters(source, args, scope, rendering);
      if (rest.positional.length > 0 && !takesMore) {
        throw new TemplateFault(`the macro ${name} takes at most ${parameters.length} argument(s)`);
      }
      const unknown = [...rest.named.keys()][0];
      if (unknown !== undefined && !takesNames) {
        throw new TemplateFault(`the macro ${name} has no argument named ${unknown}`);
      }
      scope.set('varargs', new Tuple(rest.positional));
      scope.set('kwargs', new Map(rest.named));
      return capture(body, scope);
    }),
  );
}

/** Gives each parameter its value, and what is left over. Defaults may refer to earlier parameters. */
function bindParameters(source: MacroSource, args: Arguments, scope: Scope, rendering: Rendering): Arguments {
  const named = new Map(args.named);
  const caller = named.get('caller');
  if (caller !== undefined && !source.parameters.some(({ name }) => name === 'caller')) {
    named.delete('caller');
    scope.set('caller', caller);
  } else scope.set('caller', new Undefined(`the macro ${source.name} was not called with {% call %}`));
  for (const [index, { name, defaultValue }] of source.parameters.entries()) {
    const positional = args.positional[index];
    const byName = named.get(name);
    named.delete(name);
    if (positional !== undefined && byName !== undefined) {
      throw new TemplateFault(`the macro ${source.name} got its argument ${name} twice`);
    }
    let value: Value | undefined = positional === undefined ? byName : positional;
    if (value === undefined && defaultValue !== null) value = evaluate(defaultValue, scope, rendering);
    const reason = `the argument ${name} of the macro ${source.name} was not given`;
    scope.set(
      name,
      present(value, () => new Undefined(reason)),
    );
  }
  return { positional: args.positional.slice(source.parameters.length), named };
}

/** True when the name is used anywhere in the nodes: as Jinja does, only then may a macro take arguments beyond its own. */
function mentions(node: unknown, name: string): boolean {
  if (Array.isArray(node)) return node.some((item) => mentions(item, name));
  if (typeof node !== 'object' || node === null) return false;
  if ('kind' in node && node.kind === 'name' && 'name' in node && node.name === name) return true;
  return Object.values(node).some((item) => mentions(item, name));
}
