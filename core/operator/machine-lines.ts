import type { MachineListItem } from '../../protocol/api/machines.ts';
import { machineColumns, shortUuids } from './machine-columns.ts';
import { renderTable } from './table.ts';

export interface MachineLinesOptions {
  readonly nowMs: number;
  readonly colour: boolean;
  /** Columns of the terminal; null: no limit. */
  readonly maxColumns: number | null;
}

/** Table of machines: UUIDs whole where there is room for them, else as short as they stay unique. */
export function machineLines(machines: readonly MachineListItem[], options: MachineLinesOptions): string[] {
  const { nowMs, colour, maxColumns } = options;
  const wide = machineColumns({ nowMs, colour, shortUuid: (uuid) => uuid });
  if (maxColumns === null) return renderTable(wide, machines, null);
  const plain = renderTable(machineColumns({ nowMs, colour: false, shortUuid: (uuid) => uuid }), machines, null);
  const hasRoom = plain.every((line) => line.length <= maxColumns);
  if (hasRoom) return renderTable(wide, machines, maxColumns);
  const shortUuid = shortUuids(machines.map(({ uuid }) => uuid));
  return renderTable(machineColumns({ nowMs, colour, shortUuid }), machines, maxColumns);
}
