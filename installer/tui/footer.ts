import type { ReactElement } from 'react';
import type { InstallerState } from '../state/installer-state.ts';
import { screenOf } from '../state/screen-of.ts';
import { busy, ends, line, rule } from './elements.ts';

const mostNotes = 3;

/** What went wrong before or beside the present work; at most three lines. */
export function notes(state: InstallerState, columns: number): ReactElement[] {
  const sentences = [
    ...(state.crash === null ? [] : [`The installer failed and was started again: ${state.crash}`]),
    ...state.parameterProblems.map((problem) => `Kernel parameter: ${problem}`),
    ...state.notices.slice(-1),
  ];
  const shown = sentences.slice(0, sentences.length > mostNotes ? mostNotes - 1 : mostNotes);
  if (sentences.length > shown.length)
    shown.push(`and ${sentences.length - shown.length} more (see the serial console or the log)`);
  return shown.map((text) => line(columns, { text: ` ! ${text}`, look: busy }));
}

/**
 * The keys. These two rows are also where the kernel's own messages appear (see painter.ts): nothing may stand here that is
 * nowhere else.
 */
export function footer(state: InstallerState, columns: number): ReactElement[] {
  const keys = ['Ctrl-L redraw'];
  if (screenOf(state) === 'question') keys.unshift('Enter answer', 'Ctrl-U clear');
  if (state.rescueShellKeys !== null) keys.push(`${state.rescueShellKeys} shell`);
  const ssh = state.remoteShell === null ? '' : `ssh port ${state.remoteShell.port} ${state.remoteShell.fingerprint} `;
  return [rule(columns), ends(columns, ` ${keys.join('   ')}`, ssh, {})];
}
