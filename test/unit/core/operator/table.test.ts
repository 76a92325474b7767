import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { displayWidth, fitWidth } from '../../../../core/operator/display-width.ts';
import { type Column, renderTable } from '../../../../core/operator/table.ts';

interface Row {
  readonly name: string;
  readonly note: string;
}

const columns: Column<Row>[] = [
  { title: 'NAME', value: ({ name }) => name, shrinksTo: 4 },
  { title: 'SIZE', value: () => '12' },
  { title: 'NOTE', value: ({ note }) => note, shrinksTo: 4 },
];

const rows: Row[] = [
  { name: 'a', note: 'short' },
  { name: 'machine-with-a-long-name', note: 'a note that is long as well' },
];

test('columns are as wide as their widest cell, and nothing is padded at the end of a line', () => {
  assert.deepEqual(renderTable(columns, rows, null), [
    'NAME                      SIZE  NOTE',
    'a                         12    short',
    'machine-with-a-long-name  12    a note that is long as well',
  ]);
});

test('where there is no room the widest columns give way, and say so', () => {
  assert.deepEqual(renderTable(columns, rows, 40), [
    'NAME              SIZE  NOTE',
    'a                 12    short',
    'machine-with-a-…  12    a note that is …',
  ]);
});

test('no line is wider than the terminal, whatever the cells hold and however narrow it is', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 40 });
  fc.assert(
    fc.property(
      fc.array(fc.record({ name: text, note: text }), { maxLength: 5 }),
      fc.integer({ min: 1, max: 90 }),
      (list, width) => {
        const lines = renderTable(columns, list, width);
        assert.equal(lines.length, list.length + 1);
        for (const line of lines) assert.ok(displayWidth(line) <= width, `${displayWidth(line)} > ${width}: ${line}`);
      },
    ),
  );
});

test('cells cannot steer the terminal or break the line', () => {
  const [, line] = renderTable(columns, [{ name: 'a\u001b[2J\u009b1m', note: 'two\r\nlines\u202e' }], null);
  assert.equal(line, 'a\\x1b[2J\\x9b1m  12    two lines\\u202e');
});

test('a style dresses the text of the cell and not its padding', () => {
  const styled = [
    { title: 'T', value: ({ name }: Row) => name, style: (cell: string) => `<${cell}>` },
    ...columns.slice(1),
  ];
  assert.equal(renderTable(styled, rows.slice(0, 1), null)[1], '<a>  12    short');
});

test('wide characters count twice, marks not at all', () => {
  assert.equal(displayWidth('漢字'), 4);
  assert.equal(displayWidth('e\u0301'), 1);
  assert.equal(fitWidth('漢字漢字', 6), '漢字…');
  assert.equal(fitWidth('abc', 3), 'abc');
  assert.equal(fitWidth('abcd', 3), 'ab…');
});
