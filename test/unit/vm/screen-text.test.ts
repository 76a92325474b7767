import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeScreen } from '../../vm/screen-text.ts';

test('rows of a text screen become lines; colours, empty rows and what is no ASCII do not', () => {
  const row = (text: string): number[] => [...text.padEnd(8, '\0')].flatMap((letter) => [letter.charCodeAt(0), 0x41]);
  const cells = new Uint8Array([...row('Hi A'), ...row(''), ...row('\xdb_ok')]);
  assert.equal(decodeScreen(cells, 8), 'Hi A\n?_ok');
});
