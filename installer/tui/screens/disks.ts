import type { ReactElement } from 'react';
import { describeDisk } from '../../console/describe.ts';
import type { InstallerState } from '../../state/installer-state.ts';
import { busy, line, quiet } from '../elements.ts';
import type { Room } from '../view.ts';

/** The disks, those that can be a target first. */
export function disks({ disks: all }: InstallerState, room: Room): ReactElement[] {
  if (all === null || room.rows < 2) return [];
  if (all.length === 0)
    return [line(room.columns, { text: 'No disk found yet: it is looked for again and again', look: busy })];
  const sorted = [...all].sort((a, b) => Number(a.refusal !== null) - Number(b.refusal !== null));
  const shown = sorted.length <= room.rows - 1 ? sorted.length : Math.max(0, room.rows - 2);
  const lines = sorted.slice(0, shown).map((disk) => line(room.columns, `  ${describeDisk(disk)}`));
  if (shown < sorted.length)
    lines.push(line(room.columns, { text: `  and ${sorted.length - shown} more`, look: quiet }));
  return [line(room.columns, { text: 'Disks', look: quiet }), ...lines];
}
