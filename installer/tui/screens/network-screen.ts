import type { ReactElement } from 'react';
import { networkAdvice } from '../../console/network-advice.ts';
import type { InstallerState } from '../../state/installer-state.ts';
import { blank, line, paragraph, strong } from '../elements.ts';
import type { Room, View } from '../view.ts';
import { links } from './links.ts';
import { trouble } from './trouble.ts';

/** Every link with its state, and why it is none. */
export function networkScreen(state: InstallerState, view: View, room: Room): ReactElement[] {
  const { columns } = room;
  const title = state.server === null ? 'Network' : `Network: looking for the server by every link`;
  const advice = networkAdvice(state);
  const problem = advice === null ? trouble(state, view, columns) : paragraph(columns, `What to do: ${advice}`);
  const used = 2 + (problem.length === 0 ? 0 : problem.length + 1);
  const rows = Math.max(1, room.rows - used);
  const shown =
    state.links.length === 0
      ? [line(columns, '  No network card found yet')]
      : links(state.links, view, { columns, rows });
  return [
    line(columns, { text: title, look: strong }),
    blank(columns),
    ...shown,
    ...(problem.length === 0 ? [] : [blank(columns), ...problem]),
  ];
}
