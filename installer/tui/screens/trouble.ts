import type { ReactElement } from 'react';
import type { InstallerState } from '../../state/installer-state.ts';
import { bad, line, paragraph, strong } from '../elements.ts';
import type { View } from '../view.ts';

/** What stands in the way now, and what to do about it; nothing when nothing does. */
export function trouble({ trouble: now }: InstallerState, view: View, columns: number): ReactElement[] {
  if (now === null) return [];
  const waitSeconds = now.retryAtMs === null ? null : Math.ceil((now.retryAtMs - view.clock.nowMs) / 1000);
  // A clock that was set makes waits of years; nobody waits longer than an hour here.
  const isCounted = waitSeconds !== null && waitSeconds > 0 && waitSeconds < 3600;
  return [
    line(columns, { text: `PROBLEM  ${now.code}`, look: bad }, isCounted ? `   tried again in ${waitSeconds} s` : ''),
    ...paragraph(columns, now.what, strong),
    ...paragraph(columns, `What to do: ${now.todo}`),
  ];
}
