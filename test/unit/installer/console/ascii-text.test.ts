import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { asciiText, shortText, wrapText } from '../../../../installer/console/ascii-text.ts';

test('what has an ASCII spelling keeps its sense, the rest is a question mark', () => {
  assert.equal(
    asciiText('Gr\u00f6\u00dfe \u2026 \u201ca\u201d \u2192 b\u00a0\u2013 3\u00d74 \u4e2d\ud83d\ude00'),
    'Grosse ... "a" -> b - 3x4 ??',
  );
  assert.equal(asciiText('a\x1b[31mb\r\n c'), 'a\\x1b[31mb c');
});

test('texts are cut to the room there is', () => {
  assert.equal(shortText('abcdef', 6), 'abcdef');
  assert.equal(shortText('abcdefg', 6), 'abc...');
  assert.equal(shortText('abcdefg', 2), 'ab');
  assert.deepEqual(wrapText('one two three', 7), ['one two', 'three']);
  assert.deepEqual(wrapText('abcdefghij kl', 4), ['abcd', 'efgh', 'ij', 'kl']);
  assert.deepEqual(wrapText('', 4), ['']);
});

test('no line is longer than its room, no word is lost', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 30 }), (text, columns) => {
      const lines = wrapText(text, columns);
      for (const line of [...lines, shortText(text, columns)]) assert.match(line, new RegExp(`^[ -~]{0,${columns}}$`));
      assert.equal(lines.join('').replaceAll(' ', ''), asciiText(text).replaceAll(' ', ''));
    }),
  );
});
