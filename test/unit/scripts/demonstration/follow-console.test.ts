import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createConsoleCleaner } from '../../../../scripts/demonstration/follow-console.ts';

const spoken = '\x1b[2J\x1b[01;01HBdsDxe: starting\r\n\r\n[    0.1] \x1b[0;32mLinux\x1b[0m\r\nlogin: \x1b(B\x1b7x';
const plain = '  BdsDxe: starting\n\n  [    0.1] Linux\n  login: x';

test('a console is shown as plain lines that cannot clear the screen', () => {
  assert.equal(createConsoleCleaner()(spoken), plain);
});

test('wherever the output is cut into pieces, the text is the same', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(spoken.length), { maxLength: 6 }), (cuts) => {
      const clean = createConsoleCleaner();
      const places = [0, ...cuts.sort((a, b) => a - b), spoken.length];
      const pieces = places.slice(1).map((end, index) => spoken.slice(places[index], end));
      assert.equal(pieces.map(clean).join(''), plain);
    }),
  );
});
