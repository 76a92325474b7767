import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { renderTemplate } from '../../../control-plane/jinja/render-template.ts';
import { debianPython, templateCases, templateContext } from '../../builders/debian-python.ts';

test("the list of templates says what Debian's Jinja renders", async () => {
  const cases = templateCases();
  const templates = cases.map(({ template }) => template);
  const rendered = await debianPython<string[]>('jinja', { context: templateContext(), templates });
  assert.deepEqual(
    rendered,
    cases.map(({ expected }) => expected),
  );
});

const literal = fc.oneof(
  fc.integer({ min: -50, max: 50 }).map((value) => (value < 0 ? `(${value})` : String(value))),
  fc.constantFrom(
    '0.5',
    '2.0',
    '1e3',
    'true',
    'false',
    'none',
    "'a'",
    "'Bc d'",
    "''",
    '[1, 2]',
    "['x', 'y']",
    '(1, 2)',
    "{'k': 1}",
  ),
  fc.constantFrom('machine.hostname', 'peers', 'vars.COUNT', 'machine.roles', 'vars', 'nope', 'machine.nope'),
);

/** Expressions of all operators, some filters and tests; most are nonsense, on which both must agree as well. */
const { expression } = fc.letrec<{ expression: string }>((tie) => {
  const inner = tie('expression');
  const binary = fc.constantFrom(
    '+',
    '-',
    '*',
    '//',
    '/',
    '%',
    '**',
    '~',
    '==',
    '!=',
    '<',
    '<=',
    '>',
    'in',
    'not in',
    'and',
    'or',
  );
  const filters = fc.constantFrom(
    'upper',
    'length',
    'list',
    'first',
    'last',
    'join("-")',
    'default(7)',
    'default(7, true)',
    'int',
    'float',
    'string',
    'abs',
    'round',
    'round(1)',
    'round(-1)',
    "round(1, 'floor')",
    'sort',
    'reverse | list',
    'unique | list',
    'max',
    'min',
    'sum',
    'tojson',
    'trim',
    'title',
    'capitalize',
    'replace("a", "b")',
    'map("string") | list',
    'select | list',
    'reject("none") | list',
    'batch(2) | list',
    'slice(2) | list',
    'indent(2)',
    'string | truncate(3)',
    'center(9)',
    'wordcount',
    'dictsort',
    'items | list',
    'urlencode',
    'escape',
  );
  const tests = fc.constantFrom(
    'defined',
    'string',
    'number',
    'iterable',
    'mapping',
    'none',
    'odd',
    'even',
    'divisibleby(2)',
    'in [1, "a"]',
    'eq 1',
    'lower',
    'upper',
    'sequence',
    'true',
    'boolean',
    'integer',
    'float',
  );
  return {
    expression: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      literal,
      fc.tuple(inner, binary, inner).map(([left, operator, right]) => `(${left} ${operator} ${right})`),
      fc.tuple(inner, filters).map(([value, filter]) => `(${value} | ${filter})`),
      fc.tuple(inner, tests).map(([value, name]) => `(${value} is ${name})`),
      fc.tuple(inner, inner, inner).map(([a, b, c]) => `(${a} if ${b} else ${c})`),
      fc.tuple(inner, fc.integer({ min: -3, max: 3 })).map(([value, index]) => `(${value})[${index}]`),
      fc.tuple(inner, fc.constantFrom('1:', ':2', '::-1', '-2:')).map(([value, slice]) => `(${value})[${slice}]`),
      inner.map((value) => `[${value}]`),
      inner.map((value) => `(not ${value})`),
      inner.map((value) => `(-${value})`),
    ),
  };
});

/** Templates whose result differs on purpose; ADR 9 says why. */
function isKnownDifference(template: string, theirs: string): boolean {
  if (theirs.startsWith('error: ')) return true;
  return /nope/.test(template) || /<(generator|slice|built-in|bound|dict_|map|filter)|Undefined|Markup/.test(theirs);
}

test('where Jinja renders an expression, ours gives the same or says that it cannot', async () => {
  const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
  const templates = fc.sample(expression, { seed, numRuns: 3000 }).map((text) => `{{ ${text} }}`);
  const theirs = await debianPython<string[]>('jinja', { context: templateContext(), templates });
  let same = 0;
  let refused = 0;
  for (const [index, template] of templates.entries()) {
    const expected = theirs[index] ?? '';
    if (isKnownDifference(template, expected)) continue;
    let ours: string;
    try {
      ours = renderTemplate(template, templateContext());
    } catch {
      refused += 1;
      continue;
    }
    assert.equal(ours, expected, `seed ${seed}: ${template}`);
    same += 1;
  }
  assert.ok(same > 500, `seed ${seed}: only ${same} of ${templates.length} were compared`);
  assert.ok(refused < same / 20, `seed ${seed}: ${refused} were refused, ${same} were the same`);
});
