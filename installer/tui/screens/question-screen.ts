import type { ReactElement } from 'react';
import type { InstallerState } from '../../state/installer-state.ts';
import { bad, blank, busy, line, paragraph, quiet, strong } from '../elements.ts';
import type { Room, View } from '../view.ts';
import { links } from './links.ts';

/** A question that somebody at the machine must answer, and the links below it. */
export function questionScreen(state: InstallerState, view: View, room: Room): ReactElement[] {
  const { question } = state;
  const { columns } = room;
  if (question === null) return [];
  // The end of a long answer is what is being typed.
  const width = Math.max(1, columns - 4);
  const typed = view.typed.slice(-width);
  const lines = [
    ...paragraph(columns, question.prompt, strong),
    blank(columns),
    line(columns, { text: '> ', look: quiet }, typed, { text: ' ', look: { inverse: true } }),
    blank(columns),
  ];
  if (view.isAnswered) lines.push(line(columns, { text: 'Trying this address ...', look: busy }));
  else if (question.problem !== null) lines.push(...paragraph(columns, question.problem, bad));
  const rows = room.rows - lines.length - 2;
  if (rows < 1 || state.links.length === 0) return lines;
  return [
    ...lines,
    blank(columns),
    line(columns, { text: 'Network', look: quiet }),
    ...links(state.links, view, { columns, rows }),
  ];
}
