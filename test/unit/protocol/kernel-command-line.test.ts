import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatParameter, type RawParameter, splitCommandLine } from '../../../protocol/kernel-command-line.ts';

// What next_arg() of lib/cmdline.c gives for each line.
const lines: readonly [string, RawParameter[]][] = [
  [
    '  a  b=c\t\nd= ',
    [
      { name: 'a', value: null },
      { name: 'b', value: 'c' },
      { name: 'd', value: '' },
    ],
  ],
  [
    'a="b c" d',
    [
      { name: 'a', value: 'b c' },
      { name: 'd', value: null },
    ],
  ],
  [
    '"a=b c" d',
    [
      { name: 'a', value: 'b c' },
      { name: 'd', value: null },
    ],
  ],
  ['"a b"', [{ name: 'a b', value: null }]],
  ['a=b"c d"e', [{ name: 'a', value: 'b"c d"e' }]],
  ['a="b"c', [{ name: 'a', value: 'b"c' }]],
  ['a=b=c', [{ name: 'a', value: 'b=c' }]],
  ['=a', [{ name: '=a', value: null }]],
  ['a="b c', [{ name: 'a', value: 'b c' }]],
  ['a=""', [{ name: 'a', value: '' }]],
  [
    'a -- b',
    [
      { name: 'a', value: null },
      { name: 'b', value: null },
    ],
  ],
  ['', []],
];
for (const [line, expected] of lines) {
  test(`the kernel's reading of ${JSON.stringify(line)}`, () => {
    assert.deepEqual(splitCommandLine(line).parameters, expected);
  });
}

test('an open quote is told', () => {
  assert.equal(splitCommandLine('a="b c').hasOpenQuote, true);
  assert.equal(splitCommandLine('a="b c" d').hasOpenQuote, false);
});

test('a parameter is read back as it was formatted, or is refused', () => {
  const text = fc.string({ unit: fc.constantFrom(...'abcdefgh=" \t\n-ä.'), maxLength: 5 });
  let formatted = 0;
  fc.assert(
    fc.property(text, fc.option(text, { nil: null }), (name, value) => {
      const word = formatParameter({ name, value });
      const mayBeRefused = /["=\s\nä]|^$|^--$/.test(name) || /["\t\nä]/.test(value ?? '');
      assert.equal(word === null && !mayBeRefused, false);
      if (word === null) return;
      formatted += 1;
      assert.deepEqual(splitCommandLine(`x ${word} y`).parameters[1], { name, value });
    }),
    { numRuns: 2000 },
  );
  assert.ok(formatted > 100);
});
