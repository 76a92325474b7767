import { plainLine } from '../base/plain-text.ts';
import { displayWidth, fitWidth } from './display-width.ts';

export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string;
  /** The column gives way where the table is too wide, down to this many columns; without it, it keeps its width. */
  readonly shrinksTo?: number;
  /** Dresses the finished cell, which keeps its width (colours). */
  readonly style?: (cell: string, row: T) => string;
}

const gap = '  ';

/**
 * Rows below titles, in at most `maxColumns` columns of a terminal; null: as wide as it takes. Where the table is too
 * wide, the widest shrinking column gives way first, and what still does not fit is cut at the edge. Cells are shown
 * with `plainLine`: names are other people's.
 */
export function renderTable<T>(columns: readonly Column<T>[], rows: readonly T[], maxColumns: number | null): string[] {
  const cells = rows.map((row) => columns.map(({ value }) => plainLine(value(row))));
  const widths = columns.map(({ title }, index) =>
    Math.max(displayWidth(title), ...cells.map((row) => displayWidth(row[index] ?? ''))),
  );
  if (maxColumns !== null) shrink(columns, widths, maxColumns);
  const titles = columns.map(({ title }) => title);
  return [
    line(titles, widths, (cell) => cell),
    ...cells.map((row, rowIndex) =>
      line(row, widths, (cell, index) => {
        const [style, of] = [columns[index]?.style, rows[rowIndex]];
        return style === undefined || of === undefined ? cell : style(cell, of);
      }),
    ),
  ];
}

function shrink(columns: readonly Column<never>[], widths: number[], maxColumns: number): void {
  const total = (): number => widths.reduce((sum, width) => sum + width, gap.length * (widths.length - 1));
  while (total() > maxColumns) {
    let widest = -1;
    for (const [index, { shrinksTo }] of columns.entries()) {
      const width = widths[index] ?? 0;
      if (shrinksTo !== undefined && width > shrinksTo && width > (widths[widest] ?? 0)) widest = index;
    }
    if (widest === -1) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  cutAtEdge(widths, maxColumns);
}

// Nothing may wrap: a wrapped line would break the redrawing of a live table.
function cutAtEdge(widths: number[], maxColumns: number): void {
  let left = maxColumns;
  for (const [index, width] of widths.entries()) {
    widths[index] = Math.max(0, Math.min(width, left));
    left -= (widths[index] ?? 0) + gap.length;
  }
}

function line(
  cells: readonly string[],
  widths: readonly number[],
  dress: (cell: string, index: number) => string,
): string {
  const shown = cells.flatMap((cell, index) => {
    const width = widths[index] ?? 0;
    if (width === 0) return [];
    const isLast = index === cells.length - 1 || widths.slice(index + 1).every((rest) => rest === 0);
    const fitted = fitWidth(cell, width);
    const padding = isLast ? '' : ' '.repeat(width - displayWidth(fitted));
    return [`${dress(fitted, index)}${padding}`];
  });
  return shown.join(gap).trimEnd();
}
