import type { ReactElement } from 'react';
import { stepIds, stepNames } from '../../../protocol/provision-event.ts';
import { shortText, wrapText } from '../../console/ascii-text.ts';
import { describeAmounts, describeFailure } from '../../console/describe.ts';
import type { InstallerState } from '../../state/installer-state.ts';
import type { ProvisionState, StepMark } from '../../state/provision-state.ts';
import {
  bad,
  bar,
  blank,
  busy,
  field,
  fieldNameColumns,
  good,
  type Look,
  line,
  paragraph,
  plain,
  quiet,
  strong,
} from '../elements.ts';
import type { Room, View } from '../view.ts';
import { trouble } from './trouble.ts';

const marks: Readonly<Record<StepMark, { readonly text: string; readonly look: Look }>> = {
  waiting: { text: '      ', look: quiet },
  running: { text: ' ---> ', look: busy },
  succeeded: { text: '  ok  ', look: good },
  warning: { text: ' warn ', look: busy },
  skipped: { text: '  --  ', look: quiet },
  failed: { text: ' FAIL ', look: bad },
  aborted: { text: ' STOP ', look: bad },
};

/** How far an installation has come. */
export function provisioningScreen(state: InstallerState, view: View, room: Room): ReactElement[] {
  const { provision } = state;
  const { columns } = room;
  if (provision === null) return [];
  const isDone = provision.outcome !== null;
  const percent = isDone ? 100 : provision.percent;
  const amounts = describeAmounts(provision);
  const title = isDone ? 'Installed' : 'Installing';
  const lines = [
    line(columns, { text: title, look: isDone ? { ...good, bold: true } : strong }),
    ...subject(provision, columns),
    blank(columns),
    ...steps(provision, columns),
    blank(columns),
    bar(columns, percent),
    line(columns, { text: `${Math.floor(percent)} %`.padEnd(fieldNameColumns), look: strong }, amounts),
  ];
  if (isDone) lines.push(...paragraph(columns, provision.outcome?.message ?? '', plain, 2));
  const problem = trouble(state, view, columns);
  // Where there is no room the steps count more.
  if (problem.length > 0 && lines.length + 1 + problem.length <= room.rows) lines.push(blank(columns), ...problem);
  return lines;
}

/** Why an installation failed, in what state the disk is, what to do. Stays until the next begins. */
export function failedScreen(state: InstallerState, view: View, room: Room): ReactElement[] {
  const { provision } = state;
  const { columns } = room;
  const outcome = provision?.outcome ?? null;
  if (provision === null || outcome === null) return [];
  const { disk, todo } = describeFailure(outcome);
  const title = outcome.state === 'failed' ? 'INSTALLATION FAILED' : 'INSTALLATION STOPPED';
  const step = stepIds.find((id) => provision.steps[id].mark === 'failed' || provision.steps[id].mark === 'aborted');
  const lines = [
    line(columns, { text: ` ${title} `, look: { color: 'white', backgroundColor: 'red', bold: true } }),
    blank(columns),
    field(columns, 'Code', outcome.code ?? 'unknown', bad),
    ...labelled('What', outcome.message, columns, 4),
    ...(disk === '' ? [] : labelled('Disk', disk, columns, 1)),
    ...labelled('What to do', todo, columns, 3),
    blank(columns),
    ...(step === undefined ? [] : [field(columns, 'Step', stepNames[step])]),
    ...subject(provision, columns),
    blank(columns),
    ...paragraph(columns, 'The machine stays here and can be provisioned again from the server.', plain, 2),
  ];
  const problem = trouble(state, view, columns);
  if (problem.length > 0 && lines.length + 1 + problem.length <= room.rows) lines.push(blank(columns), ...problem);
  return lines;
}

function subject(provision: ProvisionState, columns: number): ReactElement[] {
  return [
    ...labelled('Image', provision.image ?? 'unknown', columns, 2),
    ...(provision.disk === null ? [] : [field(columns, 'On disk', provision.disk)]),
    field(columns, 'Run', provision.provisionUuid),
  ];
}

function steps(provision: ProvisionState, columns: number): ReactElement[] {
  return stepIds.map((id) => {
    const { mark, message } = provision.steps[id];
    const shown = marks[mark];
    const isSaid = mark !== 'waiting' && message !== '';
    return line(
      columns,
      shown,
      { text: stepNames[id].padEnd(26), look: mark === 'running' ? strong : plain },
      { text: isSaid ? message : '', look: mark === 'running' || mark === 'succeeded' ? plain : shown.look },
    );
  });
}

/** A value that may take several lines, beside its name. */
function labelled(name: string, value: string, columns: number, most: number): ReactElement[] {
  const width = Math.max(1, columns - fieldNameColumns);
  const lines = wrapped(value, width, most);
  return lines.map((text, index) => field(columns, index === 0 ? name : '', text));
}

function wrapped(text: string, width: number, most: number): string[] {
  const lines = wrapText(text, width);
  if (lines.length <= most) return lines;
  return [...lines.slice(0, most - 1), shortText(lines.slice(most - 1).join(' '), width)];
}
