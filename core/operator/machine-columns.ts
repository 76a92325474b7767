import type { MachineListItem } from '../../protocol/api/machines.ts';
import type { Column } from './table.ts';
import { timeAgo } from './time-ago.ts';

export interface MachineColumnsOptions {
  readonly nowMs: number;
  readonly colour: boolean;
  /** What stands for the UUID; unique in the table. */
  readonly shortUuid: (uuid: string) => string;
}

const green = 32;
const yellow = 33;
const red = 31;
const grey = 90;

/** Columns of the machines' table. */
export function machineColumns({ nowMs, colour, shortUuid }: MachineColumnsOptions): Column<MachineListItem>[] {
  const paint = (code: number | null, text: string): string =>
    colour && code !== null ? `\x1b[${code}m${text}\x1b[0m` : text;
  return [
    { title: 'HOSTNAME', value: ({ hostname }) => hostname, shrinksTo: 8 },
    {
      title: 'ONLINE',
      value: (machine) => onlineText(machine, nowMs),
      style: (cell, machine) => paint(machine.is_online ? green : grey, cell),
    },
    {
      title: 'STATE',
      value: stateText,
      shrinksTo: 11,
      style: (cell, machine) => paint(stateColour(machine), cell),
    },
    { title: 'MESH', value: (machine) => machine.mesh_ip_address ?? '' },
    { title: 'ROLES', value: (machine) => machine.role_names.join(','), shrinksTo: 5 },
    { title: 'UUID', value: ({ uuid }) => shortUuid(uuid) },
  ];
}

/** `● online`, `○ 4d ago`, `○ never`. */
export function onlineText(machine: MachineListItem, nowMs: number): string {
  if (machine.is_online) return '● online';
  const seen = machine.last_seen_at;
  return seen === null ? '○ never' : `○ ${timeAgo(Date.parse(seen), nowMs)}`;
}

/** The state and, where it helps, how far or why. */
export function stateText(machine: MachineListItem): string {
  const run = machine.last_provision;
  if (machine.provision_state === 'Installing' && run !== null) return `Installing ${run.progress_percent}%`;
  if (machine.provision_state === 'Failed' && run !== null && run.status !== 'error') return `Failed (${run.status})`;
  if (machine.possible_duplicates.length > 0) return `${machine.provision_state}, duplicate?`;
  return machine.provision_state;
}

function stateColour({ provision_state: state }: MachineListItem): number | null {
  if (state === 'Failed') return red;
  return state === 'Installing' || state === 'Install pending' ? yellow : null;
}

const shortestUuid = 8;

/** For each UUID its shortest beginning, of at least 8 characters, that no other one of the list has. */
export function shortUuids(uuids: readonly string[]): (uuid: string) => string {
  const sorted = [...uuids].sort();
  const lengths = new Map<string, number>();
  for (const [index, uuid] of sorted.entries()) {
    const shared = Math.max(sharedLength(uuid, sorted[index - 1]), sharedLength(uuid, sorted[index + 1]));
    lengths.set(uuid, Math.max(shortestUuid, shared + 1));
  }
  return (uuid) => uuid.slice(0, lengths.get(uuid) ?? uuid.length);
}

function sharedLength(one: string, other: string | undefined): number {
  if (other === undefined) return 0;
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return length;
}
