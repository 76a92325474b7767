import { z } from 'zod';
import type { MachineListItem } from '../../protocol/api/machines.ts';
import {
  type Provision,
  type ProvisionHistoryEntry,
  provisionHistoryEntrySchema,
  provisionReplySchema,
  provisionSchema,
} from '../../protocol/api/provisions.ts';
import type { bootWays } from '../../protocol/commands.ts';
import { ProvisionError } from '../base/errors.ts';
import { plainLine } from '../base/plain-text.ts';
import { machineNamed, machineOf, machinesPath } from './machine-paths.ts';
import type { Operator } from './operator.ts';
import { printJson, printLines, printTable } from './output.ts';
import { adviceLines, completedLine, runError } from './run-outcome.ts';
import type { Column } from './table.ts';
import { shortTime } from './time-ago.ts';
import { type RunDisplay, watchRun } from './watch-run.ts';

export interface ProvisionOptions {
  /** Without a question. */
  readonly yes: boolean;
  /** To the end of the run. */
  readonly wait: boolean;
  readonly boot: (typeof bootWays)[number];
  /** Everything is read back before the disk is made bootable. */
  readonly readBack: boolean;
}

/**
 * Queues an installation and follows it to its end.
 * @throws ProvisionError `confirmation_required`, `aborted`, and the run's own error unless it ends as completed.
 */
export async function provisionMachine(
  operator: Operator,
  name: string,
  options: ProvisionOptions,
  display: RunDisplay,
): Promise<void> {
  const { api, output } = operator;
  const machine = await machineNamed(api, name);
  if (!options.yes) await confirm(operator, machine);
  const reply = await api.post(
    `${machinesPath}${machine.uuid}/provision`,
    { mode: 'rebuild', boot: options.boot, read_back: options.readBack },
    provisionReplySchema,
  );
  const provisionUuid = reply.provision_uuid;
  if (provisionUuid === null) throw new ProvisionError('server_answer_invalid', 'the server has queued no run');
  if (options.wait) return await followRun(operator, machine, provisionUuid, display);
  if (output.json) return printJson(output, reply);
  printLines(output, [plainLine(`${machine.hostname}: ${reply.message} (run ${provisionUuid})`)]);
}

async function confirm({ api, ask }: Operator, machine: MachineListItem): Promise<void> {
  const { target_disk: disk } = await machineOf(api, machine.uuid);
  const what = disk === null ? 'its system disk' : `its disk ${disk}`;
  if (ask === null) {
    throw new ProvisionError(
      'confirmation_required',
      `everything on ${machine.hostname}'s system disk would be erased; say --yes to allow it without a question`,
    );
  }
  const isWanted = await ask(
    plainLine(`Install ${machine.hostname} (${machine.uuid})? Everything on ${what} is erased.`),
  );
  if (!isWanted) throw new ProvisionError('aborted', 'the answer was not yes; nothing was begun');
}

/** Follows the newest run of a machine. @throws ProvisionError `object_not_found` when it has none. */
export async function watchNewestRun(operator: Operator, name: string, display: RunDisplay): Promise<void> {
  const machine = await machineNamed(operator.api, name);
  const [newest] = await runsOf(operator, machine.uuid);
  if (newest === undefined) throw new ProvisionError('object_not_found', `${machine.hostname} has no run`);
  await followRun(operator, machine, newest.uuid, display);
}

async function followRun(
  operator: Operator,
  machine: MachineListItem,
  provisionUuid: string,
  display: RunDisplay,
): Promise<void> {
  const { output, signal } = operator;
  let run: Provision;
  try {
    run = await watchRun(operator, { machineUuid: machine.uuid, provisionUuid }, display);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new ProvisionError(
      'aborted',
      `not watched any more; the installation goes on: "durantic server provisions ${machine.uuid} --watch" shows it, ` +
        `"durantic server cancel ${machine.uuid}" ends it`,
    );
  }
  const isDone = run.status === 'completed';
  const error = isDone ? null : runError(run, machine.hostname);
  if (output.json) output.stdout.write(`${JSON.stringify({ provision: run })}\n`);
  else if (isDone) printLines(output, [completedLine(run, machine.hostname)]);
  else output.stderr.write(`${adviceLines(run).join('\n')}\n`);
  if (error !== null) throw error;
}

/** Ends the active run. @throws ProvisionError `request_conflict` when there is none. */
export async function cancelRun(operator: Operator, name: string): Promise<void> {
  const { api, output } = operator;
  const machine = await machineNamed(api, name);
  const active = (await runsOf(operator, machine.uuid)).find((run) => run.is_active);
  if (active === undefined) {
    throw new ProvisionError('request_conflict', `${machine.hostname} has no run that could be canceled`);
  }
  const path = `${machinesPath}${machine.uuid}/provisions/${active.uuid}/cancel`;
  const run = await api.post(path, {}, provisionSchema);
  if (output.json) return printJson(output, run);
  const said = run.is_terminal ? `the run is ${run.status}` : 'the machine is asked to stop';
  printLines(output, [plainLine(`${machine.hostname}: ${said} (run ${run.uuid})`)]);
}

/** Sends the machine into the installer without installing. */
export async function discoverMachine({ api, output }: Operator, name: string): Promise<void> {
  const machine = await machineNamed(api, name);
  const reply = await api.post(`${machinesPath}${machine.uuid}/provision`, { mode: 'discover' }, provisionReplySchema);
  if (output.json) return printJson(output, reply);
  printLines(output, [plainLine(`${machine.hostname}: ${reply.message}`)]);
}

async function runsOf({ api }: Operator, machineUuid: string): Promise<Provision[]> {
  return await api.get(`${machinesPath}${machineUuid}/provisions/`, z.array(provisionSchema));
}

/** The machine's runs, newest first. */
export async function listRuns(operator: Operator, name: string): Promise<void> {
  const { output } = operator;
  const machine = await machineNamed(operator.api, name);
  const runs = await runsOf(operator, machine.uuid);
  if (output.json) return printJson(output, runs);
  const columns: Column<Provision>[] = [
    { title: 'QUEUED (UTC)', value: (run) => shortTime(run.created_at) },
    { title: 'STATUS', value: (run) => run.status },
    { title: '%', value: (run) => String(run.progress_percent) },
    { title: 'RUN', value: ({ uuid }) => uuid },
    { title: 'MESSAGE', value: (run) => messageOf(run), shrinksTo: 11 },
  ];
  printTable(output, { columns, rows: runs, empty: `${machine.hostname} was never installed from here.` });
}

function messageOf(run: Provision): string {
  const code = run.error_code === null ? '' : `[${run.error_code}] `;
  return `${code}${run.current_message}`;
}

/** The history of a run: the one of that UUID or beginning of it; the newest without one. */
export async function listRunEvents(operator: Operator, name: string, runName: string | undefined): Promise<void> {
  const { api, output } = operator;
  const machine = await machineNamed(api, name);
  const run = findRun(await runsOf(operator, machine.uuid), machine.hostname, runName);
  const path = `${machinesPath}${machine.uuid}/provisions/${run.uuid}/events`;
  const history = await api.get(path, z.array(provisionHistoryEntrySchema));
  if (output.json) return printJson(output, history);
  printLines(output, history.map(historyLine));
}

function findRun(runs: readonly Provision[], hostname: string, wanted: string | undefined): Provision {
  const found = runs.filter(({ uuid }) => wanted === undefined || uuid.startsWith(wanted.toLowerCase()));
  const [run] = found;
  if (run === undefined) {
    const what = wanted === undefined ? 'no run' : `no run ${wanted}`;
    throw new ProvisionError('object_not_found', `${hostname} has ${what}`);
  }
  if (wanted !== undefined && found.length > 1) {
    const list = found.map(({ uuid }) => uuid).join(', ');
    throw new ProvisionError('object_ambiguous', `${wanted} is the beginning of ${found.length} runs: ${list}`);
  }
  return run;
}

function historyLine({ received_at: time, kind, event }: ProvisionHistoryEntry): string {
  const part = (name: string): string => {
    const value = event[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
  const percent = part('percent') === '' ? '' : `${Math.floor(Number(part('percent')))}%`;
  const code = part('code') === '' ? '' : `[${part('code')}]`;
  const state = part('state') || part('outcome') || part('status');
  const words = [kind === 'server' ? 'server' : part('step') || kind, state, percent, part('message'), code];
  return plainLine(`${time.slice(0, 19)}Z  ${words.filter((word) => word !== '').join('  ')}`);
}
