import { type Column, renderTable } from './table.ts';

/** A stream of a process or of a test. */
export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** Where a command of the operator writes: results on stdout, everything else on stderr. */
export interface Output {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** One JSON document (or one a line, where it is live) on stdout in place of text. */
  readonly json: boolean;
  /** Colours are wanted on a terminal (no `NO_COLOR`). */
  readonly colour: boolean;
}

/** Columns that a table may take: a terminal's; null where the output goes to a file or program. */
export function tableColumns(stream: OutputStream): number | null {
  return stream.isTTY === true ? (stream.columns ?? 80) : null;
}

export function printJson(output: Output, value: unknown): void {
  output.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function printLines(output: Output, lines: readonly string[]): void {
  output.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

export interface TableOutput<T> {
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  /** Said on stderr where there is no row: what a person would do next. */
  readonly empty: string;
}

export function printTable<T>(output: Output, { columns, rows, empty }: TableOutput<T>): void {
  if (rows.length === 0) output.stderr.write(`${empty}\n`);
  else printLines(output, renderTable(columns, rows, tableColumns(output.stdout)));
}
