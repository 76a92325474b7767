import type { MachineListItem } from '../../protocol/api/machines.ts';
import { plainLine } from '../base/plain-text.ts';
import { fitWidth } from './display-width.ts';
import { onlineText, stateText } from './machine-columns.ts';
import { machineLines } from './machine-lines.ts';
import { type Output, printLines, tableColumns } from './output.ts';
import { Screen } from './screen.ts';

export interface MachinePicture {
  readonly machines: readonly MachineListItem[];
  /** Why the picture may be old; null: it is live. */
  readonly problem: string | null;
  readonly nowMs: number;
}

/** Shows machines that change: on a terminal as a table in place, elsewhere as lines. */
export interface MachineView {
  show(picture: MachinePicture): void;
  close(): void;
}

export function machineView(output: Output, origin: string): MachineView {
  if (output.json) return jsonView(output);
  return output.stdout.isTTY === true ? screenView(output, origin) : lineView(output);
}

function screenView(output: Output, origin: string): MachineView {
  const screen = new Screen(output.stdout);
  let last: MachinePicture | null = null;
  return {
    show: (picture) => {
      last = picture;
      const { machines, problem, nowMs } = picture;
      const online = machines.filter((machine) => machine.is_online).length;
      const counts = `${machines.length} machine${machines.length === 1 ? '' : 's'}, ${online} online`;
      const time = new Date(nowMs).toISOString().slice(11, 19);
      const title = `${counts}  ${origin}  ${time} UTC  ^C ends`;
      const { columns } = screen;
      screen.draw([
        fitWidth(problem === null ? title : plainLine(problem), columns),
        '',
        ...machineLines(machines, { nowMs, colour: output.colour, maxColumns: columns }),
      ]);
    },
    close: () => {
      screen.close();
      // What was seen last stays readable.
      if (last === null || last.machines.length === 0) return;
      const options = { nowMs: last.nowMs, colour: output.colour, maxColumns: tableColumns(output.stdout) };
      printLines(output, machineLines(last.machines, options));
    },
  };
}

const percentStep = 10;

/** One line for each machine at first, then one for each change; an installation every 10 %. */
function lineView(output: Output): MachineView {
  const report = changesOf((machine) => [machine.is_online, coarseState(machine), machine.hostname, ...texts(machine)]);
  let lastProblem: string | null = null;
  return {
    show: ({ machines, problem, nowMs }) => {
      if (problem !== null && problem !== lastProblem) output.stderr.write(`durantic: ${plainLine(problem)}\n`);
      lastProblem = problem;
      const time = new Date(nowMs).toISOString().slice(0, 19);
      const { changed, deleted } = report(machines);
      printLines(output, [
        ...changed.map((machine) => {
          const rest = [onlineText(machine, nowMs).slice(2), coarseState(machine), ...texts(machine)];
          return plainLine(
            `${time}Z  ${[machine.hostname, ...rest.filter((text) => text !== ''), machine.uuid].join('  ')}`,
          );
        }),
        ...deleted.map(({ hostname, uuid }) => plainLine(`${time}Z  ${hostname}  deleted  ${uuid}`)),
      ]);
    },
    close: () => {},
  };
}

function texts(machine: MachineListItem): string[] {
  return [machine.mesh_ip_address ?? '', machine.role_names.join(',')];
}

function coarseState(machine: MachineListItem): string {
  const run = machine.last_provision;
  if (machine.provision_state !== 'Installing' || run === null) return stateText(machine);
  return `Installing ${Math.floor(run.progress_percent / percentStep) * percentStep}%`;
}

/** One object a line: a machine as the list has it, or `{uuid, deleted: true}`. */
function jsonView(output: Output): MachineView {
  const report = changesOf((machine) => machine);
  return {
    show: ({ machines }) => {
      const { changed, deleted } = report(machines);
      for (const machine of changed) output.stdout.write(`${JSON.stringify(machine)}\n`);
      for (const { uuid } of deleted) output.stdout.write(`${JSON.stringify({ uuid, deleted: true })}\n`);
    },
    close: () => {},
  };
}

interface Changes {
  readonly changed: readonly MachineListItem[];
  readonly deleted: readonly MachineListItem[];
}

/** What differs from the list before, by what `keyOf` gives of a machine. */
function changesOf(keyOf: (machine: MachineListItem) => unknown): (machines: readonly MachineListItem[]) => Changes {
  let known = new Map<string, { readonly key: string; readonly machine: MachineListItem }>();
  return (machines) => {
    const now = new Map(machines.map((machine) => [machine.uuid, { key: JSON.stringify(keyOf(machine)), machine }]));
    const changed = machines.filter(({ uuid }) => known.get(uuid)?.key !== now.get(uuid)?.key);
    const deleted = [...known.values()].filter(({ machine }) => !now.has(machine.uuid)).map(({ machine }) => machine);
    known = now;
    return { changed, deleted };
  };
}
