import { Box, Text, type TextProps } from 'ink';
import { createElement, type ReactElement } from 'react';
import { shortText, wrapText } from '../console/ascii-text.ts';

/** How a piece of text looks. Sixteen colours, no fonts: a Linux console. */
export type Look = Pick<TextProps, 'color' | 'bold' | 'inverse' | 'backgroundColor' | 'dimColor'>;

export const plain: Look = {};
export const strong: Look = { bold: true };
export const good: Look = { color: 'green' };
export const busy: Look = { color: 'yellowBright' };
export const bad: Look = { color: 'red', bold: true };
export const quiet: Look = { color: 'cyan' };
/** Filled with colour where there is colour; `#` elsewhere. */
export const filled: Look = { color: 'white', backgroundColor: 'white' };

/** One piece of a line. */
export interface Span {
  readonly text: string;
  readonly look?: Look;
}

/** One line of pieces, cut at `columns`; never wrapped, since a screen counts its lines. */
export function line(columns: number, ...spans: readonly (Span | string)[]): ReactElement {
  let room = columns;
  const pieces = spans.map((span, index) => {
    const { text, look } = typeof span === 'string' ? { text: span, look: plain } : span;
    const shown = shortText(text, room);
    room -= shown.length;
    return createElement(Text, { key: index, ...look }, shown);
  });
  // An empty Text has no height.
  return createElement(
    Box,
    { height: 1, flexShrink: 0 },
    createElement(Text, null, ...pieces, ' '.repeat(room > 0 ? 1 : 0)),
  );
}

/** A sentence in as many lines as it needs, at most `most`; what does not fit is cut. */
export function paragraph(columns: number, text: string, look: Look = plain, most = 3): ReactElement[] {
  const lines = wrapText(text, columns);
  const shown = lines.slice(0, most);
  if (lines.length > most) shown[most - 1] = shortText(lines.slice(most - 1).join(' '), columns);
  return shown.map((words) => line(columns, { text: words, look }));
}

/** `name   value`, with the names of all such lines below each other. */
export function field(columns: number, name: string, value: string, look: Look = plain): ReactElement {
  return line(columns, { text: name.padEnd(fieldNameColumns), look: quiet }, { text: value, look });
}

export const fieldNameColumns = 12;

/** Lines from top to bottom. */
export function stack(lines: readonly ReactElement[], props: { readonly paddingLeft?: number } = {}): ReactElement {
  return createElement(Box, { flexDirection: 'column', flexShrink: 0, ...props }, ...lines);
}

export function blank(columns: number): ReactElement {
  return line(columns, '');
}

/** Left and right at the two ends of a line; each has at least half of it, and gives way beyond that, the left first. */
export function ends(columns: number, left: string, right: string, look: Look): ReactElement {
  const half = Math.floor(columns / 2);
  const end = shortText(right, Math.max(columns - half, columns - left.length - 1));
  const room = columns - end.length;
  return line(columns, { text: `${shortText(left, Math.max(0, room - 1)).padEnd(room)}${end}`, look });
}

/** A line across the screen. */
export function rule(columns: number): ReactElement {
  return line(columns, { text: '-'.repeat(columns), look: quiet });
}

/** A bar of `columns` characters, edges included. */
export function bar(columns: number, percent: number): ReactElement {
  const width = Math.max(1, columns - 2);
  const done = Math.min(width, Math.max(0, Math.round((percent / 100) * width)));
  return line(
    columns,
    { text: '[', look: quiet },
    { text: '#'.repeat(done), look: { color: 'green', backgroundColor: 'green' } },
    { text: '.'.repeat(width - done), look: quiet },
    { text: ']', look: quiet },
  );
}
