import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ConsoleWriter } from '../../../../installer/console/console-writer.ts';
import { Painter } from '../../../../installer/tui/painter.ts';
import { TerminalScreen } from '../../../builders/terminal-screen.ts';

const size = { columns: 20, rows: 6 };

/** A terminal that counts what is written to it, and that can refuse to take anything. */
class Terminal implements ConsoleWriter {
  readonly screen = new TerminalScreen(size.columns, size.rows);
  readonly isBehind = false;
  writtenBytes = 0;
  isHeld = false;

  write(text: string): boolean {
    if (this.isHeld) return false;
    this.writtenBytes += text.length;
    this.screen.write(text);
    return true;
  }

  [Symbol.dispose](): void {}
}

const frame = (...lines: readonly string[]): string[] =>
  Array.from({ length: size.rows }, (_, row) => lines[row] ?? '');

test('a frame stands as it is, the last column too, without scrolling or wrapping', () => {
  const terminal = new Terminal();
  const painter = new Painter(terminal, size);
  const full = Array.from({ length: size.rows }, (_, row) => String(row).repeat(size.columns));
  painter.paint(full);
  assert.deepEqual(terminal.screen.lines, full);
  painter.paint(full.map((line) => `\x1b[31m${line}\x1b[39m`));
  assert.deepEqual(terminal.screen.lines, full);
  assert.deepEqual([terminal.screen.scrolledLines, terminal.screen.wrappedLines], [0, 0]);
  assert.equal(terminal.screen.isCursorShown, false);
});

test('only what changed is written, nothing for the same frame', () => {
  const terminal = new Terminal();
  const painter = new Painter(terminal, size);
  painter.paint(frame('a', 'b', 'c', 'd', 'e', 'f'));
  const before = terminal.writtenBytes;
  painter.paint(frame('a', 'b', 'c', 'd', 'e', 'f'));
  assert.equal(terminal.writtenBytes, before);
  painter.paint(frame('a', 'b', 'X', 'd', 'e', 'f'));
  assert.ok(terminal.writtenBytes - before < 40, `${terminal.writtenBytes - before} bytes for one row`);
  assert.deepEqual(terminal.screen.lines, ['a', 'b', 'X', 'd', 'e', 'f']);
});

test('messages of the kernel stay in the footer until the next repaint', () => {
  const terminal = new Terminal();
  const painter = new Painter(terminal, size);
  const lines = frame('one', 'two', 'three', 'four', '----', 'keys');
  painter.paint(lines);
  for (let message = 1; message <= 9; message += 1) terminal.screen.write(`kernel message ${message}\r\n`);
  assert.deepEqual(terminal.screen.lines.slice(0, 4), lines.slice(0, 4));
  assert.equal(terminal.screen.lines[4], 'kernel message 9');
  painter.paint(lines);
  assert.equal(terminal.screen.lines[4], 'kernel message 9', 'nobody has said that something was written over it');
  painter.forget(false);
  painter.paint(lines);
  assert.deepEqual(terminal.screen.lines, lines);
});

test('a frame that the console did not take is painted again', () => {
  const terminal = new Terminal();
  const painter = new Painter(terminal, size);
  terminal.isHeld = true;
  painter.paint(frame('first'));
  terminal.isHeld = false;
  painter.paint(frame('first'));
  assert.deepEqual(terminal.screen.lines, ['first']);
  terminal.isHeld = true;
  painter.paint(frame('second'));
  terminal.isHeld = false;
  painter.paint(frame('second'));
  assert.deepEqual(terminal.screen.lines, ['second']);
});

test('Ctrl-L wipes what stands there; the end gives the console back', () => {
  const terminal = new Terminal();
  const painter = new Painter(terminal, size);
  painter.paint(frame('a'));
  terminal.screen.write('\x1b[3;5Hdirt');
  painter.forget(true);
  painter.paint(frame('a'));
  assert.deepEqual(terminal.screen.lines, ['a']);
  painter.release();
  assert.deepEqual(terminal.screen.region, { top: 0, bottom: size.rows - 1 });
  assert.equal(terminal.screen.isCursorShown, true);
  assert.equal(terminal.screen.cursor.row, size.rows - 1);
});

test('after any frames the screen shows the last one', () => {
  const line = fc.string({ unit: 'grapheme-ascii', maxLength: size.columns }).map((text) => text.trimEnd());
  const frames = fc.array(fc.array(line, { minLength: size.rows, maxLength: size.rows }), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(frames, (all) => {
      const terminal = new Terminal();
      const painter = new Painter(terminal, size);
      for (const lines of all) painter.paint(lines);
      const shown = frame(...terminal.screen.lines);
      assert.deepEqual(shown, all.at(-1));
      assert.equal(terminal.screen.scrolledLines, 0);
    }),
  );
});
