import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { renderTemplate } from '../../../../control-plane/jinja/render-template.ts';
import { TemplateError } from '../../../../control-plane/jinja/template-error.ts';
import { templateCases, templateContext } from '../../../builders/debian-python.ts';

/** What the template fails with: line and message. */
function faultOf(template: string): { line: number | null; message: string } {
  try {
    const text = renderTemplate(template, templateContext());
    assert.fail(`${template} rendered to ${text.slice(0, 200)}`);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return { line: error.line, message: error.message };
  }
}

test('every template of the list renders as Jinja renders it', () => {
  const cases = templateCases();
  assert.ok(cases.length > 100);
  for (const { template, expected } of cases)
    assert.equal(renderTemplate(template, templateContext()), expected, template);
});

test('faults name the line in the template', () => {
  const faults: readonly (readonly [string, number, RegExp])[] = [
    ['a\n{{ secrets.NOPE }}', 2, /^the secret NOPE does not exist$/],
    ['a\n\n{{ vars["NOPE"] }}', 3, /^the variable NOPE does not exist$/],
    ['{% if secrets.NOPE %}x{% endif %}', 1, /^the secret NOPE does not exist; ask with/],
    ['{{ secrets.NOPE == "x" }}', 1, /^the secret NOPE does not exist$/],
    ['\n{{ secrets.NOPE | b64encode }}', 2, /^the secret NOPE does not exist$/],
    ['x\n{{ machine.vip }}', 2, /^machine\.vip is undefined$/],
    ['{{ machine.mesh.gateway.ip }}', 1, /^machine\.mesh\.gateway is undefined$/],
    ['{{ nothing }}', 1, /^nothing is undefined$/],
    ['{{ peers[7].hostname }}', 1, /^peers\[7\] is undefined$/],
    ['\n\n{% for i in machine.nothing %}{% endfor %}', 3, /^machine\.nothing is undefined$/],
    ['a\n{% if %}', 2, /^syntax error: expected an expression, found %}$/],
    ['a\n{% for x in peers %}\nb', 2, /^syntax error: \{% endfor %\} is missing/],
    ['a\n{% endif %}', 2, /^syntax error: unknown tag \{% endif %\}$/],
    ['{% if 1 %}\n{% endfor %}', 2, /unknown tag \{% endfor %\}/],
    ['a\n{{ machine.hostname', 2, /^the tag \{\{ has no end \}\}$/],
    ['a\n{# no end', 2, /^the comment \{# has no end/],
    ['a\n{% raw %}\n', 2, /^\{% raw %\} has no/],
    ["{{ 'no end }}", 1, /^unexpected end of a text in a tag$/],
    ['{{ 1 ? 2 }}', 1, /^unexpected \? in a tag$/],
    ['{{ (1, 2] }}', 1, /^unexpected \]$/],
    ['\n{{ 1 | nosuch }}', 2, /^there is no filter named nosuch$/],
    ['\n{{ 1 is nosuch }}', 2, /^there is no test named nosuch$/],
    ['{{ machine.hostname() }}', 1, /^str is not a function$/],
    ['{{ 1 + "a" }}', 1, /^\+ is not possible between int and str$/],
    ['{{ 1 // 0 }}', 1, /^division by zero$/],
    ['{{ peers | sort }}', 1, /^dict and dict have no order$/],
    ['{{ peers | sort(attribute="nope") }}', 1, /no attribute or entry named nope/],
    ['{{ [].append }}', 1, /^the function append cannot be printed, only called$/],
    ['{% set x.y = 1 %}', 1, /^x is no namespace/],
    ['{% set a, b = [1] %}', 1, /^2 names cannot take 1 value/],
    ['{% include "/etc/passwd" %}', 1, /^\{% include %\} is not possible/],
    ['{% extends "x" %}', 1, /^\{% extends %\} is not possible/],
    ['{% import "x" as y %}', 1, /^\{% import %\} is not possible/],
    ['{% macro m(a) %}{% endmacro %}\n{{ m(1, 2) }}', 2, /^the macro m takes at most 1 argument/],
    ['{% macro m(a) %}\n{{ a }}{% endmacro %}{{ m() }}', 2, /^the argument a of the macro m was not given$/],
    ['{% break %}', 1, /must be inside a loop/],
    ['line\r\n{{ nope }}', 2, /^nope is undefined$/],
    ['{{\n machine.hostname\n ~ nope }}', 3, /^nope is undefined$/],
  ];
  for (const [template, line, message] of faults) {
    const fault = faultOf(template);
    assert.match(fault.message, message, template);
    assert.equal(fault.line, line, template);
  }
});

test('what is undefined can be asked for and defaulted, and is false elsewhere', () => {
  const rendered: Readonly<Record<string, string>> = {
    "{{ secrets.NOPE | default('x') }}": 'x',
    '{{ secrets.NOPE is defined }}': 'False',
    '{% if secrets.NOPE is defined and secrets.NOPE %}a{% else %}b{% endif %}': 'b',
    '{% if role.vip %}a{% else %}b{% endif %}': 'b',
    "{{ role.vip == '10.0.0.1' }}": 'False',
    "{{ 'x' if role.vip else 'y' }}": 'y',
    "{{ peers | selectattr('vip') | list | length }}": '0',
    "{{ secrets.get('NOPE', 'x') }}": 'x',
    "{{ 'NOPE' in secrets }}": 'False',
  };
  for (const [template, expected] of Object.entries(rendered)) {
    assert.equal(renderTemplate(template, templateContext()), expected, template);
  }
});

test('nothing of the process can be reached', () => {
  const names = [
    'constructor',
    '__proto__',
    'prototype',
    '__class__',
    '__globals__',
    'toString',
    'hasOwnProperty',
    'call',
    'apply',
    'bind',
    '__defineGetter__',
  ];
  const objects = [
    'machine',
    'peers',
    '"text"',
    '[]',
    '{}',
    '1',
    '1.5',
    'true',
    '(1,)',
    'range',
    'namespace()',
    'cycler(1)',
    '"a".upper',
    'secrets',
  ];
  for (const object of objects) {
    for (const name of names) {
      for (const access of [`(${object}).${name}`, `(${object})['${name}']`, `(${object}) | attr('${name}')`]) {
        assert.equal(renderTemplate(`{{ (${access}) is defined }}`, templateContext()), 'False', access);
      }
    }
  }
  for (const name of [
    'process',
    'globalThis',
    'require',
    'Function',
    'Object',
    'this',
    'self',
    'constructor',
    '__proto__',
  ]) {
    assert.equal(renderTemplate(`{{ ${name} is defined }}`, templateContext()), 'False', name);
  }
  for (const template of [
    '{{ 1 | constructor }}',
    '{{ 1 is constructor }}',
    '{{ 1 | __proto__ }}',
    "{{ [1] | map('constructor') | list }}",
  ]) {
    assert.match(faultOf(template).message, /there is no (filter|test) named/, template);
  }
  const own = '{% set d = {} %}{% do d.update({"__proto__": {"x": 1}}) %}{{ d.x is defined }}{{ {}.x is defined }}';
  assert.equal(renderTemplate(own, templateContext()), 'FalseFalse');
  assert.equal('x' in {}, false);
});

test('templates that ask for too much fail at once, with their line', () => {
  const bombs: Readonly<Record<string, RegExp>> = {
    "{% set ns = namespace(x='aa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}": /longer than/,
    '{{ range(100001) }}': /more than 100000 items/,
    '{{ range(0, 10**15) }}': /more than 100000 items/,
    '{{ [0] * 10**12 }}': /more than 100000 items/,
    "{{ 'x' * 10**12 }}": /longer than/,
    "{{ '%999999999d' % 1 }}": /longer than/,
    "{{ '%.999999999f' % 1.5 }}": /longer than/,
    "{{ '{:>999999999}'.format('x') }}": /longer than/,
    "{{ 'x' | center(1000000000) }}": /longer than/,
    "{{ 'x'.zfill(1000000000) }}": /longer than/,
    "{{ 'x'.ljust(1000000000) }}": /longer than/,
    "{{ ('\\n' * 1000000) | indent(1000000) }}": /longer than/,
    '{{ {} | tojson(indent=1000000000) }}': /longer than/,
    "{{ ('a' * 1000000) | replace('a', 'b' * 1000000) }}": /longer than/,
    "{{ (['x' * 1000] * 100000) | join }}": /longer than/,
    "{{ 'x'.join(['y' * 1000000] * 100000) }}": /longer than/,
    '{{ [1] | batch(1000000000, 0) | list }}': /more than 100000 items/,
    '{{ [1] | slice(1000000000) | list }}': /more than 100000 items/,
    '{% set d = {} %}{% for i in range(100000) %}{% do d.setdefault(i, 1) %}{% endfor %}{% do d.setdefault(-1, 1) %}':
      /more than 100000 items/,
    '{% set d = {} %}{% for i in range(100000) %}{% do d.update({i: 1}) %}{% endfor %}{% do d.update({"x": 1}) %}':
      /more than 100000 items/,
    '{{ 9 ** 9 ** 9 ** 9 ** 9 }}': /too large|bits/,
    '{{ 2 ** 100000 }}': /too large|bits/,
    '{{ (0 - 2) ** 100000 }}': /too large|bits/,
    '{% set ns = namespace(x=3) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}': /bits/,
    '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}': /called within itself more than 100 times/,
    '{% set l = [] %}{% do l.append(l) %}{{ l }}': /holds itself/,
    '{% set l = [[]] %}{% do l[0].append(l) %}{{ l | tojson }}': /holds itself/,
    "{% for i in range(100000) %}{{ 'x' * 1000 }}{% endfor %}": /renders to more than/,
    '{% set l = [1] %}{% for i in range(99999) %}{% do l.extend(l) %}{% endfor %}': /more than 100000 items/,
    [`{{ ${'('.repeat(5000)}1${')'.repeat(5000)} }}`]: /levels of nesting/,
    [`{{ ${'not '.repeat(5000)}1 }}`]: /levels of nesting/,
    [`{{ ${'- '.repeat(5000)}1 }}`]: /levels of nesting/,
    ['{% if 1 %}'.repeat(5000)]: /levels of nesting/,
    [`{{ 1${' + 1'.repeat(100_000)} }}`]: /nested too deeply/,
    ['x'.repeat(512 * 1024 + 1)]: /longer than 524288 characters/,
  };
  for (const [template, message] of Object.entries(bombs)) {
    assert.match(faultOf(template).message, message, template.slice(0, 100));
  }
});

test('whatever the text is, it renders or fails as a template', () => {
  const pieces = fc.constantFrom(
    '{{',
    '}}',
    '{%',
    '%}',
    '{#',
    '#}',
    '-',
    ' ',
    '\n',
    'if ',
    'for ',
    'set ',
    'in ',
    'x',
    '=',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '\\',
    '|',
    '.',
    ',',
    ':',
    '1',
    '~',
    'is ',
    'not ',
    'endif',
    'endfor',
    'raw',
    'endraw',
    'macro ',
    'else',
    '*',
    'é',
    '\u0000',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 25 }), (parts) => {
      try {
        assert.equal(typeof renderTemplate(parts.join(''), { x: [1] }), 'string');
      } catch (error) {
        assert.ok(error instanceof TemplateError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
