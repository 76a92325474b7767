import type { ReactElement } from 'react';
import { formatDuration } from '../../../core/base/format-duration.ts';
import { describeCommand, describeConnection, describeIdentity, workingAddresses } from '../../console/describe.ts';
import type { InstallerState } from '../../state/installer-state.ts';
import { bad, blank, busy, field, filled, good, line, quiet, strong } from '../elements.ts';
import { largeLetters } from '../large-letters.ts';
import type { Room, View } from '../view.ts';
import { disks } from './disks.ts';
import { links, shortLinks } from './links.ts';
import { trouble } from './trouble.ts';

/** The server is reached; it does not know this machine yet. */
export function enrollingScreen(state: InstallerState, view: View, room: Room): ReactElement[] {
  const { columns } = room;
  const title =
    state.enrolling === 'token'
      ? 'Enrolling with the token'
      : state.enrolling === 'approval'
        ? 'Asking the server for an approval code'
        : 'The server is reached';
  const lines = [line(columns, { text: title, look: strong }), blank(columns), ...serverFields(state, columns)];
  return withTrouble(lines, state, view, room);
}

/** Of what stands around the code. */
const codeWordsRows = 5;

/** The code that somebody types at the server, to be read from across the room. */
export function approvalScreen(state: InstallerState, view: View, room: Room): ReactElement[] {
  const { columns } = room;
  const { approval } = state;
  if (approval === null) return [];
  const large = largeLetters(approval.code, { columns: columns - 2, rows: room.rows - codeWordsRows });
  const lines = [
    line(columns, { text: 'This machine asks to be let in. Its approval code:', look: strong }),
    blank(columns),
    ...(large === null
      ? [line(columns, `    `, { text: ` ${[...approval.code].join(' ')} `, look: { inverse: true } })]
      : large.map((dots) => largeLine(dots, columns))),
    blank(columns),
    line(columns, 'At the server:  ', { text: `durantic server approve ${approval.code}`, look: strong }),
    line(columns, `The code is good for ${remaining(approval.expiresAt, view)}; then a new one is shown.`),
  ];
  return withTrouble(lines, state, view, room);
}

/** Enrolled; nothing to do. */
export function waitingScreen(state: InstallerState, view: View, room: Room): ReactElement[] {
  const { columns } = room;
  const isConnected = state.connection?.isConnected === true;
  const title = isConnected ? 'Ready: this machine is enrolled and waits for work' : 'This machine is enrolled';
  const lines = [
    line(columns, { text: title, look: isConnected ? { ...good, bold: true } : strong }),
    blank(columns),
    field(columns, 'Machine', state.machineUuid ?? '', strong),
    ...serverFields(state, columns),
  ];
  if (state.command !== null) lines.push(field(columns, 'Command', describeCommand(state.command)));
  const problem = trouble(state, view, columns);
  if (problem.length > 0) lines.push(blank(columns), ...problem);
  const forDisks = Math.min(fewestDiskRows, (state.disks?.length ?? 0) + 2);
  lines.push(...otherLinks(state, view, { columns, rows: room.rows - lines.length - forDisks }));
  const listed = disks(state, { columns, rows: room.rows - lines.length - 1 });
  return listed.length === 0 ? lines : [...lines, blank(columns), ...listed];
}

/** What the links leave to the disks, blank line included. */
const fewestDiskRows = 5;

/** Why the server is not reached by the others (protocol.md, "Network bring-up in the installer"). */
function otherLinks({ links: all, workingLink }: InstallerState, view: View, { columns, rows }: Room): ReactElement[] {
  const others = all.filter(({ name }) => name !== workingLink);
  if (workingLink === null || others.length === 0 || rows < 3) return [];
  const title = line(columns, { text: 'Other links', look: quiet });
  return [blank(columns), title, ...shortLinks(others, view, { columns, rows: rows - 2 })];
}

function largeLine(dots: string, columns: number): ReactElement {
  const spans = (dots.match(/#+| +/g) ?? []).map((text) => (text.startsWith('#') ? { text, look: filled } : text));
  const margin = Math.max(0, Math.floor((columns - dots.length) / 2));
  return line(columns, ' '.repeat(margin), ...spans);
}

function serverFields(state: InstallerState, columns: number): ReactElement[] {
  const lines = [field(columns, 'Server', state.server ?? '')];
  const connection = describeConnection(state);
  if (connection !== null) {
    lines.push(field(columns, 'Connection', connection, state.connection?.isConnected === true ? good : busy));
  }
  lines.push(field(columns, 'Network', [state.workingLink ?? 'none', ...workingAddresses(state)].join(', ')));
  const identity = describeIdentity(state);
  if (identity !== null) lines.push(field(columns, 'Identity', identity));
  if (state.clockSet !== null)
    lines.push(field(columns, 'Clock', `set from ${state.clockSet.from} to ${state.clockSet.to}`));
  return lines;
}

/** The problem below, and the links where there is still room: without a network, no code helps. */
function withTrouble(lines: ReactElement[], state: InstallerState, view: View, room: Room): ReactElement[] {
  const { columns } = room;
  const problem = trouble(state, view, columns);
  const all = problem.length === 0 ? lines : [...lines, blank(columns), ...problem];
  const rows = room.rows - all.length - 2;
  if (state.workingLink !== null || rows < 1 || state.links.length === 0) return all;
  return [
    ...all,
    blank(columns),
    line(columns, { text: 'No link reaches the server now', look: bad }),
    ...links(state.links, view, { columns, rows }),
  ];
}

/** `14 min`, or the time itself when this machine's clock is not to be trusted. */
function remaining(expiresAt: string, { clock }: View): string {
  const seconds = (Date.parse(expiresAt) - clock.nowMs) / 1000;
  const isTrue = seconds > 0 && seconds < 24 * 3600;
  if (!isTrue) return `the time until ${expiresAt}`;
  return seconds >= 120 ? `${Math.floor(seconds / 60)} min` : formatDuration(seconds);
}
