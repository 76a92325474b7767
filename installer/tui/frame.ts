import { Box, renderToString } from 'ink';
import { createElement, type ReactElement } from 'react';
import type { InstallerState } from '../state/installer-state.ts';
import { type Screen, screenOf } from '../state/screen-of.ts';
import { blank, line, strong } from './elements.ts';
import { footer, notes } from './footer.ts';
import { footerRows } from './footer-rows.ts';
import { header, headerRows } from './header.ts';
import { approvalScreen, enrollingScreen, waitingScreen } from './screens/enrolment-screens.ts';
import { leavingScreen } from './screens/leaving-screen.ts';
import { networkScreen } from './screens/network-screen.ts';
import { failedScreen, provisioningScreen } from './screens/provision-screens.ts';
import { questionScreen } from './screens/question-screen.ts';
import { type Room, smallestColumns, smallestRows, type View } from './view.ts';

type ScreenBody = (state: InstallerState, view: View, room: Room) => ReactElement[];

const bodies: Readonly<Record<Screen, ScreenBody>> = {
  starting: (_, __, { columns }) => [line(columns, { text: 'Starting ...', look: strong })],
  network: networkScreen,
  question: questionScreen,
  enrolling: enrollingScreen,
  approval: approvalScreen,
  waiting: waitingScreen,
  provisioning: provisioningScreen,
  failed: failedScreen,
  leaving: (state, _, room) => leavingScreen(state, room),
};

/**
 * The whole screen as lines of ASCII with colours (SGR sequences), as many as the terminal has rows. Every frame stands for
 * itself: ink lays it out, painter.ts finds what has changed.
 */
export function renderFrame(state: InstallerState, view: View): readonly string[] {
  const columns = Math.max(smallestColumns, view.columns);
  const rows = Math.max(smallestRows, view.rows);
  const below = notes(state, columns);
  const room = { columns: columns - 2, rows: rows - headerRows - footerRows - below.length - 1 };
  const body = bodies[screenOf(state)](state, view, room).slice(0, room.rows);
  const frame = createElement(
    Box,
    { flexDirection: 'column', width: columns, height: rows },
    ...header(state, columns),
    createElement(
      Box,
      { flexDirection: 'column', flexGrow: 1, overflow: 'hidden', paddingLeft: 1 },
      blank(room.columns),
      ...body,
    ),
    ...below,
    ...footer(state, columns),
  );
  return renderToString(frame, { columns }).split('\n').slice(0, view.rows);
}
