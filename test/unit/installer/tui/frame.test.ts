import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { plainFrame } from '../../../../installer/tui/plain-frame.ts';
import type { View } from '../../../../installer/tui/view.ts';
import { installerEvent } from '../../../builders/installer-event-arbitrary.ts';
import { sceneClock, scenes, stateOf } from '../../../builders/installer-scenes.ts';

// As open-screen.ts does before it loads the same module.
process.env['FORCE_COLOR'] = '1';
const { renderFrame } = await import('../../../../installer/tui/frame.ts');

const small: View = { columns: 80, rows: 24, clock: sceneClock, typed: 'https://durantic.exam', isAnswered: false };
const large: View = { ...small, columns: 128, rows: 48 };

/** What a screen shows, line by line. `UPDATE_SCREENS=1` writes it anew: to be read before it is committed. */
function assertLooksLike(name: string, frame: readonly string[]): void {
  const file = join(import.meta.dirname, '../../../fixtures/screens', `${name}.txt`);
  const text = `${frame.map((line) => stripVTControlCharacters(line).trimEnd()).join('\n')}\n`;
  if (process.env['UPDATE_SCREENS'] === '1') writeFileSync(file, text);
  assert.ok(existsSync(file), `there is no ${file}: run this test with UPDATE_SCREENS=1`);
  assert.equal(text, readFileSync(file, 'utf8'));
}

function assertFits(frame: readonly string[], { columns, rows }: View): void {
  assert.equal(frame.length, rows);
  for (const line of frame) {
    const text = stripVTControlCharacters(line);
    assert.match(text, /^[ -~]*$/, 'beyond ASCII');
    assert.ok(text.length <= columns, `${text.length} columns: ${text}`);
  }
}

for (const [name, events] of Object.entries(scenes)) {
  test(`the screen "${name}" on 80x24`, () => {
    const frame = renderFrame(stateOf(events), small);
    assertFits(frame, small);
    assertLooksLike(name, frame);
  });
}

for (const name of ['approval', 'network', 'worst']) {
  test(`the screen "${name}" on 128x48`, () => {
    const frame = renderFrame(stateOf(scenes[name] ?? []), large);
    assertFits(frame, large);
    assertLooksLike(`${name}-128x48`, frame);
  });
}

test('colours: sixteen of them, by SGR sequences and nothing else', () => {
  for (const events of Object.values(scenes)) {
    // ESC as ^: no scene has one of those.
    const text = renderFrame(stateOf(events), small).join('\n').replaceAll('\x1b', '^');
    assert.doesNotMatch(text, /\^(?!\[\d{1,3}m)/, 'another sequence, or a colour of a larger palette');
  }
  assert.ok(
    renderFrame(stateOf(scenes['failed'] ?? []), small)
      .join('')
      .includes('\x1b[41m'),
    'no red banner',
  );
});

test('any sequence of events fits any terminal', () => {
  const view = fc.record({
    columns: fc.integer({ min: 40, max: 200 }),
    rows: fc.integer({ min: 12, max: 60 }),
    clock: fc.record({ nowMs: fc.integer({ min: -1e13, max: 1e13 }), uptimeSeconds: fc.integer({ min: 0, max: 1e9 }) }),
    typed: fc.string({ unit: 'grapheme-ascii', maxLength: 300 }),
    isAnswered: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(installerEvent, { maxLength: 40 }), view, (events, size) => {
      const state = stateOf(events);
      assertFits(renderFrame(state, size), size);
      assertFits(plainFrame(state, size, 'a note'), size);
    }),
    { numRuns: 80 },
  );
});

test('without ink the facts are there all the same', () => {
  const text = plainFrame(stateOf(scenes['approval'] ?? []), small, 'loading').join('\n');
  for (const part of ['durantic installer 0.1.0', 'A3C-WXM', 'eno2', 'loading']) assert.ok(text.includes(part), part);
});
