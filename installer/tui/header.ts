import type { ReactElement } from 'react';
import { describeMachine, describeMemory, workingAddresses } from '../console/describe.ts';
import type { InstallerState } from '../state/installer-state.ts';
import { ends, rule } from './elements.ts';

export const headerRows = 3;

/** What stands above every screen: which program on which machine, its address, the server. */
export function header(state: InstallerState, columns: number): ReactElement[] {
  const { machine, memoryBytes, server, workingLink } = state;
  const memory = memoryBytes === null ? '' : `${describeMemory(memoryBytes)} memory`;
  const serial = machine.serial === null ? '' : `S/N ${machine.serial}`;
  const title = [describeMachine(machine), serial, memory].filter((part) => part !== '').join('  ');
  const address = workingAddresses(state)[0];
  const network =
    workingLink === null ? 'no network yet' : `${workingLink}${address === undefined ? '' : `  ${address}`}`;
  return [
    ends(columns, ` durantic installer ${state.version ?? ''}`, `${title} `, { inverse: true }),
    ends(columns, ` ${server === null ? 'no server yet' : server}`, `${network} `, {}),
    rule(columns),
  ];
}
