import { z } from 'zod';
import { type Approval, approvalSchema } from '../../protocol/api/approvals.ts';
import { ProvisionError } from '../base/errors.ts';
import { plainLine } from '../base/plain-text.ts';
import type { Operator } from './operator.ts';
import { printJson, printLines, printTable } from './output.ts';
import type { Column } from './table.ts';
import { timeAgo } from './time-ago.ts';

const approvalsPath = '/api/provisioning/approvals/';

/** Machines that wait to be let in. Their codes are on their screens only. */
export async function listApprovals({ api, output, now }: Operator): Promise<void> {
  const approvals = await api.get(approvalsPath, z.array(approvalSchema));
  if (output.json) return printJson(output, approvals);
  const waiting = approvals.filter(({ status }) => status === 'pending');
  const columns: Column<Approval>[] = [
    { title: 'ASKED', value: (approval) => timeAgo(Date.parse(approval.created_at), now()) },
    { title: 'ADDRESS', value: ({ address }) => address },
    { title: 'PRODUCT', value: ({ facts }) => productOf(facts), shrinksTo: 12 },
    { title: 'SERIAL', value: ({ facts }) => facts.system_serial ?? '', shrinksTo: 8 },
    { title: 'MAC', value: ({ facts }) => facts.nics.map(({ mac }) => mac).join(','), shrinksTo: 17 },
  ];
  const empty = 'No machine waits for approval.';
  printTable(output, { columns, rows: waiting, empty });
  if (waiting.length > 0) {
    output.stderr.write('"durantic server approve CODE" lets one in; the code is on its screen.\n');
  }
}

export interface Entry {
  /** As the machine shows it. */
  readonly code: string;
  /** Without a question. */
  readonly yes: boolean;
}

/**
 * Lets the machine in that shows the code, after the operator has seen what it is.
 * @throws ProvisionError `confirmation_required` without a terminal and `yes`, `aborted` when the answer is no.
 */
export async function approve(operator: Operator, { code, yes }: Entry): Promise<void> {
  await enter(operator, { code, yes, action: 'approve', question: 'Let this machine in?' });
}

/** Turns the machine away that shows the code. @throws as `approve`. */
export async function deny(operator: Operator, { code, yes }: Entry): Promise<void> {
  await enter(operator, { code, yes, action: 'deny', question: 'Turn this machine away?' });
}

interface Decision extends Entry {
  readonly action: 'approve' | 'deny';
  readonly question: string;
}

async function enter({ api, output, ask }: Operator, { code, yes, action, question }: Decision): Promise<void> {
  if (!yes) {
    if (ask === null) {
      throw new ProvisionError('confirmation_required', 'without a terminal to ask on, say --yes');
    }
    const seen = await api.post(approvalsPath, { code, action: 'preview' }, approvalSchema);
    for (const line of describe(seen)) output.stderr.write(`${line}\n`);
    if (!(await ask(question))) throw new ProvisionError('aborted', 'the answer was not yes; the machine still waits');
  }
  const done = await api.post(approvalsPath, { code, action }, approvalSchema);
  if (output.json) return printJson(output, done);
  if (yes) printLines(output, describe(done));
  const uuid = done.machine_uuid;
  printLines(output, [action === 'deny' ? 'The machine is turned away.' : `The machine is let in as ${uuid}.`]);
}

function productOf({ system_vendor: vendor, product_name: product }: Approval['facts']): string {
  return [vendor, product].filter((text) => text !== null).join(' ');
}

/** What the operator compares with the machine in front of him. */
function describe({ facts, address }: Approval): string[] {
  const rows: [string, string | null][] = [
    ['Product', productOf(facts) || null],
    ['Serial', facts.system_serial],
    ['Board serial', facts.board_serial],
    ['System UUID', facts.system_uuid],
    ['Hostname', facts.hostname],
    ['Asks from', address],
    ...facts.nics.map(({ name, mac }): [string, string] => ['MAC address', `${mac} (${name})`]),
  ];
  return rows.map(([label, value]) => `${`${label}:`.padEnd(14)}${plainLine(value ?? 'unknown')}`);
}
