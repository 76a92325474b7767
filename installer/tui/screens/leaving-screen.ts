import type { ReactElement } from 'react';
import { describeLeaving } from '../../console/describe.ts';
import type { InstallerState } from '../../state/installer-state.ts';
import { blank, field, good, line, paragraph, plain } from '../elements.ts';
import type { Room } from '../view.ts';

/** The last screen: what comes next. */
export function leavingScreen(state: InstallerState, room: Room): ReactElement[] {
  const { leaving, provision } = state;
  const { columns } = room;
  if (leaving === null) return [];
  const lines = [...paragraph(columns, describeLeaving(leaving), { ...good, bold: true }), blank(columns)];
  if (provision?.outcome?.state !== 'succeeded') return lines;
  return [
    ...lines,
    ...paragraph(columns, provision.outcome.message, plain, 3),
    blank(columns),
    field(columns, 'Run', provision.provisionUuid),
    line(columns, ''),
  ];
}
