import { z } from 'zod';
import { commandSchema, machineLogsSchema } from '../../protocol/api/commands.ts';
import { sleep } from '../base/abort.ts';
import { ProvisionError } from '../base/errors.ts';
import { plainLine } from '../base/plain-text.ts';
import { machineNamed, machinesPath } from './machine-paths.ts';
import type { Operator } from './operator.ts';
import { printJson, printLines, printTable } from './output.ts';
import type { Column } from './table.ts';
import { shortTime } from './time-ago.ts';

type Command = z.infer<typeof commandSchema>;

/** The machine's commands in the order of giving, with their outcomes. */
export async function listCommands({ api, output }: Operator, name: string): Promise<void> {
  const machine = await machineNamed(api, name);
  const commands = await api.get(commandsPath(machine.uuid), z.array(commandSchema));
  if (output.json) return printJson(output, commands);
  const columns: Column<Command>[] = [
    { title: 'GIVEN (UTC)', value: (command) => shortTime(command.created_at) },
    { title: 'COMMAND', value: ({ kind }) => kind },
    { title: 'STATUS', value: ({ status }) => status },
    { title: 'UUID', value: ({ uuid }) => uuid, shrinksTo: 8 },
    { title: 'REASON', value: ({ reason }) => reason ?? '', shrinksTo: 11 },
  ];
  printTable(output, { columns, rows: commands, empty: `${machine.hostname} was given no command.` });
}

export interface NewCommand {
  readonly kind: string;
  readonly args: Readonly<Record<string, unknown>>;
  /** Until the command has an outcome. */
  readonly wait: boolean;
}

const askEveryMs = 1000;

/** @throws ProvisionError `command_not_done` when it is waited for and ends otherwise than done, `aborted`. */
export async function sendCommand({ api, output, signal }: Operator, name: string, wanted: NewCommand): Promise<void> {
  const machine = await machineNamed(api, name);
  const path = commandsPath(machine.uuid);
  let command = await api.post(path, { kind: wanted.kind, args: wanted.args }, commandSchema);
  const wayOut = `"durantic server commands ${machine.uuid}" lists its outcome`;
  if (!wanted.wait) {
    if (output.json) return printJson(output, command);
    const when = machine.is_online ? '' : ` ${machine.hostname} is offline and gets it when it connects;`;
    printLines(output, [plainLine(`${command.kind} is given to ${machine.hostname};${when} ${wayOut}.`)]);
    return;
  }
  while (!command.is_terminal) {
    await sleep(askEveryMs, signal).catch((cause: unknown) => {
      throw new ProvisionError('aborted', `not waited for any more; the command stands, and ${wayOut}`, { cause });
    });
    command = await api.get(`${path}${command.uuid}`, commandSchema);
  }
  if (output.json) printJson(output, command);
  else if (command.status === 'done') printLines(output, [plainLine(outcomeOf(command, machine.hostname))]);
  if (command.status !== 'done') {
    throw new ProvisionError('command_not_done', plainLine(outcomeOf(command, machine.hostname)));
  }
}

function outcomeOf({ kind, status, reason }: Command, hostname: string): string {
  return `${kind} on ${hostname} is ${status}${reason === null ? '' : `: ${reason}`}`;
}

/** The lines that `CollectLogs` brought, oldest first. */
export async function printLogs({ api, output }: Operator, name: string): Promise<void> {
  const machine = await machineNamed(api, name);
  const logs = await api.get(`${machinesPath}${machine.uuid}/logs/`, machineLogsSchema);
  if (output.json) return printJson(output, logs);
  if (logs.entries.length === 0) {
    output.stderr.write(`There is no log; "durantic server commands ${machine.uuid} send CollectLogs" asks for it.\n`);
  }
  if (logs.dropped_lines > 0) output.stderr.write(`${logs.dropped_lines} older lines are not kept any more.\n`);
  printLines(
    output,
    logs.entries.flatMap(({ lines }) => lines.map(plainLine)),
  );
}

function commandsPath(machineUuid: string): string {
  return `${machinesPath}${machineUuid}/commands/`;
}
