import type { SQLOutputValue } from 'node:sqlite';
import { ProvisionError } from '../../core/base/errors.ts';

/** A row as `node:sqlite` gives it. */
export type Row = Readonly<Record<string, SQLOutputValue>>;

/** @throws ProvisionError `invariant` when the column is not there or is no text: the tables are STRICT. */
export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value === 'string') return value;
  throw new ProvisionError('invariant', `the column ${column} of the database holds no text`);
}

export function textOrNull(row: Row, column: string): string | null {
  return row[column] === null ? null : text(row, column);
}

/** @throws ProvisionError `invariant` when the column is not there or is no number. */
export function number(row: Row, column: string): number {
  const value = row[column];
  if (typeof value === 'number') return value;
  throw new ProvisionError('invariant', `the column ${column} of the database holds no number`);
}

export function numberOrNull(row: Row, column: string): number | null {
  return row[column] === null ? null : number(row, column);
}

/** A column of 0 or 1. */
export function boolean(row: Row, column: string): boolean {
  return number(row, column) === 1;
}

/** A time column as milliseconds since 1970. */
export function timeOrNull(row: Row, column: string): number | null {
  const value = textOrNull(row, column);
  return value === null ? null : Date.parse(value);
}

/** A column of JSON that this program wrote. */
export function json(row: Row, column: string): unknown {
  return JSON.parse(text(row, column));
}

/** A column that holds a JSON array of texts. */
export function textList(row: Row, column: string): string[] {
  const value = json(row, column);
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** Milliseconds since 1970 as a time column has them. */
export function timeText(timeMs: number): string;
export function timeText(timeMs: number | null): string | null;
export function timeText(timeMs: number | null): string | null {
  return timeMs === null ? null : new Date(timeMs).toISOString();
}
