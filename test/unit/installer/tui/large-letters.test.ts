import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasLargeLetters, largeLetters } from '../../../../installer/tui/large-letters.ts';
import { approvalCodeAlphabet } from '../../../../protocol/enrolment.ts';

test('every letter of an approval code has a form of its own', () => {
  const letters = [...approvalCodeAlphabet, '-'];
  assert.ok(hasLargeLetters(letters.join('')));
  const forms = letters.map((letter) => largeLetters(letter, { columns: 10, rows: 7 })?.join('\n') ?? '');
  assert.equal(new Set(forms).size, letters.length, 'two letters look the same');
  for (const form of forms) assert.match(form, /#/);
});

test('a code fills an 80x24 screen, is larger where there is room, smaller where there is none', () => {
  const widthAndHeight = (columns: number, rows: number): readonly number[] | null => {
    const lines = largeLetters('A3C-WXM', { columns, rows });
    if (lines === null) return null;
    assert.equal(new Set(lines.map((line) => line.length)).size, 1, 'lines of different lengths');
    return [lines[0]?.length ?? 0, lines.length];
  };
  assert.deepEqual(widthAndHeight(77, 13), [76, 7]);
  assert.deepEqual(widthAndHeight(60, 13), [38, 7]);
  assert.deepEqual(widthAndHeight(126, 40), [114, 14]);
  assert.deepEqual(widthAndHeight(158, 45), [152, 14]);
  assert.equal(widthAndHeight(37, 20), null);
  assert.equal(widthAndHeight(100, 6), null);
});

test('a text with other letters has no large form', () => {
  assert.equal(largeLetters('abc', { columns: 80, rows: 24 }), null);
  assert.equal(largeLetters('', { columns: 80, rows: 24 }), null);
});
