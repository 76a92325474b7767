import type { ReactElement } from 'react';
import { describeMachine, describeMemory, headlineLink } from '../console/describe.ts';
import type { InstallerState } from '../state/installer-state.ts';
import { ends, rule } from './elements.ts';

export const headerRows = 3;

/** What stands above every screen: which program on which machine, its address, the server. */
export function header(state: InstallerState, columns: number): ReactElement[] {
  const { machine, memoryBytes, server } = state;
  const memory = memoryBytes === null ? '' : `${describeMemory(memoryBytes)} memory`;
  const serial = machine.serial === null ? '' : `S/N ${machine.serial}`;
  const title = [describeMachine(machine), serial, memory].filter((part) => part !== '').join('  ');
  const link = headlineLink(state);
  const network = link === null ? 'no network yet' : [link.name, ...link.addresses.slice(0, 1)].join('  ');
  return [
    ends(columns, ` durantic installer ${state.version ?? ''}`, `${title} `, { inverse: true }),
    ends(columns, ` ${server === null ? 'no server yet' : server}`, `${network} `, {}),
    rule(columns),
  ];
}
