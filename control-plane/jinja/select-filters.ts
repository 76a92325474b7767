import { getPath } from './access-member.ts';
import { type Arguments, asText, bindArguments } from './arguments.ts';
import type { Filter, FilterHost, FilterTable } from './filter.ts';
import { TemplateFault } from './template-error.ts';
import { isTruthy, itemsOf, Undefined, type Value } from './values.ts';

/** Filters that apply another filter or a test to each item (Jinja 3.1, "List of Builtin Filters"). */
export const selectFilters: FilterTable = {
  map: (value, args, host) => {
    const [name, ...rest] = args.positional;
    if (name !== undefined) {
      const inner: Arguments = { positional: rest, named: args.named };
      return listed(value).map((item) => host.applyFilter(asText('the filter of map', name), item, inner));
    }
    const [attribute, fallback] = bindArguments('map', args, ['attribute', 'default']);
    if (attribute === undefined) throw new TemplateFault('map needs a filter or an attribute');
    return listed(value).map((item) => {
      const found = getPath(item, attribute);
      return found instanceof Undefined && fallback !== undefined ? fallback : found;
    });
  },
  select: picking(true, false),
  reject: picking(false, false),
  selectattr: picking(true, true),
  rejectattr: picking(false, true),
  attr: (value, args) => getPath(value, asText('the name of attr', bindArguments('attr', args, ['name'])[0])),
};

/** @param isKept Items that pass stay, or go. @param hasAttribute The first argument names what is tested. */
function picking(isKept: boolean, hasAttribute: boolean): Filter {
  return (value, args, host) => {
    const attribute = hasAttribute ? args.positional[0] : undefined;
    const others = hasAttribute ? args.positional.slice(1) : args.positional;
    if (hasAttribute && attribute === undefined) throw new TemplateFault('an attribute must be named');
    const passes = tester(others, args.named, host);
    return listed(value).filter(
      (item) => passes(attribute === undefined ? item : getPath(item, attribute)) === isKept,
    ) as Value[];
  };
}

function tester(others: readonly Value[], named: Arguments['named'], host: FilterHost): (item: Value) => boolean {
  const [test, ...rest] = others;
  if (test === undefined) return isTruthy;
  const name = asText('the name of a test', test);
  return (item) => host.applyTest(name, item, { positional: rest, named });
}

/** Nothing for `none`, `false` and 0, as Jinja has it for these filters. */
function listed(value: Value): readonly Value[] {
  return value === null || value === false || value === 0n || value === 0 ? [] : itemsOf(value);
}
