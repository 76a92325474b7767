import { z } from 'zod';
import { commandBodySchema, commandSchema, machineLogsSchema } from '../../protocol/api/commands.ts';
import type { ServerContext } from '../context.ts';
import { ApiError, notFound, unprocessable } from '../http/api-error.ts';
import { defineRoute, type Route } from '../http/route.ts';
import type { CommandQueue, StoredCommand } from '../services.ts';
import { transaction } from '../store/open-database.ts';
import { timeText } from '../store/row-values.ts';
import { readLogs } from './agent-logs.ts';

/** Commands without an outcome that a machine may have; a machine that is away for long is not buried. */
const openCommandsLimit = 100;

/** How long the next network boot of a machine that is to enter the installer gets it. */
const networkBootMs = 30 * 60_000;

const machineParams = z.object({ uuid: z.uuid().toLowerCase() });
const commandParams = machineParams.extend({ command_uuid: z.uuid().toLowerCase() });
const base = { tag: 'Commands', access: 'api' } as const;
const path = '/api/provisioning/machines/{uuid}/commands/';

/** Commands for machines, with their outcomes, and the lines that `CollectLogs` brought. */
export function commandRoutes(context: ServerContext, { commands }: { readonly commands: CommandQueue }): Route[] {
  const toReply = (command: StoredCommand) => describeCommand(context, command);
  return [
    defineRoute({
      ...base,
      method: 'GET',
      path,
      operationId: 'provisioning_api_list_commands',
      summary: 'List the commands of a machine, in the order of giving',
      params: machineParams,
      responses: { 200: z.array(commandSchema) },
      errors: [404],
      handle: ({ accountUuid, params }) => {
        requireMachine(context, accountUuid, params.uuid);
        return commands.list(params.uuid).reverse().map(toReply);
      },
    }),
    defineRoute({
      ...base,
      method: 'POST',
      path,
      operationId: 'provisioning_api_create_command',
      summary: 'Give a command to a machine; one that is offline gets it when it connects',
      params: machineParams,
      body: commandBodySchema,
      responses: { 201: commandSchema },
      errors: [404, 409],
      handle: ({ accountUuid, params, body }) =>
        transaction(context.db, () => {
          const { hasKey } = requireMachine(context, accountUuid, params.uuid);
          if (!hasKey) throw new ApiError(409, `machine ${params.uuid} has not enrolled: nothing can be sent to it`);
          refuseWhenFull(commands, params.uuid);
          setNetworkBoot(context, params.uuid, body);
          return toReply(enqueue(commands, params.uuid, body));
        }),
    }),
    defineRoute({
      ...base,
      method: 'GET',
      path: `${path}{command_uuid}`,
      operationId: 'provisioning_api_get_command',
      summary: 'Show a command and its outcome',
      params: commandParams,
      responses: { 200: commandSchema },
      errors: [404],
      handle: ({ accountUuid, params }) => {
        requireMachine(context, accountUuid, params.uuid);
        const command = commands.get(params.uuid, params.command_uuid);
        if (command === null) throw notFound(`command ${params.command_uuid}`);
        return toReply(command);
      },
    }),
    defineRoute({
      ...base,
      method: 'GET',
      path: '/api/provisioning/machines/{uuid}/logs/',
      operationId: 'provisioning_api_list_logs',
      summary: 'Show the log lines that were collected from a machine, oldest first',
      params: machineParams,
      responses: { 200: machineLogsSchema },
      errors: [404],
      handle: ({ accountUuid, params }) => {
        requireMachine(context, accountUuid, params.uuid);
        return readLogs(context.db, params.uuid);
      },
    }),
  ];
}

type CommandBody = z.infer<typeof commandBodySchema>;

function requireMachine(context: ServerContext, accountUuid: string, machineUuid: string): { hasKey: boolean } {
  const row = context.db
    .prepare('SELECT public_key FROM machines WHERE uuid = ? AND account_uuid = ?')
    .get(machineUuid, accountUuid);
  if (row === undefined) throw notFound(`machine ${machineUuid}`);
  return { hasKey: row['public_key'] !== null };
}

function refuseWhenFull(commands: CommandQueue, machineUuid: string): void {
  const open = commands.list(machineUuid).filter(({ finishedAt }) => finishedAt === null).length;
  if (open >= openCommandsLimit) {
    throw new ApiError(409, `machine ${machineUuid} has ${open} commands without an outcome and gets no more`);
  }
}

/** A machine may have no way into the installer but its network, and one that is to leave it must not come back that way. */
function setNetworkBoot({ db, clock }: ServerContext, machineUuid: string, { kind }: CommandBody): void {
  if (kind === 'EnterInstaller') {
    // An operator may have marked it for longer.
    db.prepare('UPDATE machines SET install_until = max(coalesce(install_until, ?1), ?1) WHERE uuid = ?2').run(
      timeText(clock.now() + networkBootMs),
      machineUuid,
    );
  } else if (kind === 'BootInstalledSystem') {
    db.prepare('UPDATE machines SET install_until = NULL WHERE uuid = ?').run(machineUuid);
  }
}

function enqueue(commands: CommandQueue, machineUuid: string, body: CommandBody): StoredCommand {
  const machine = `/api/provisioning/machines/${machineUuid}`;
  switch (body.kind) {
    case 'ProvisionMachine':
      throw unprocessable('kind', `an installation is started with POST ${machine}/provision {"mode": "rebuild"}`);
    case 'CancelProvision':
      throw unprocessable('kind', `a run is ended with POST ${machine}/provisions/{provision_uuid}/cancel`);
    case 'BootInstalledSystem':
    case 'EnterInstaller':
      return commands.enqueue(machineUuid, body.kind, body.args);
    case 'Reboot':
    case 'PowerOff':
      return commands.enqueue(machineUuid, body.kind, {});
    case 'UpdateAgent':
      return commands.enqueue(machineUuid, body.kind, body.args);
    case 'CollectLogs':
      return commands.enqueue(machineUuid, body.kind, body.args);
  }
}

function describeCommand(context: ServerContext, command: StoredCommand): z.infer<typeof commandSchema> {
  const row = context.db.prepare('SELECT ignored_replies FROM commands WHERE uuid = ?').get(command.uuid);
  return {
    uuid: command.uuid,
    machine_uuid: command.machineUuid,
    kind: command.kind,
    args: command.args as Record<string, unknown>,
    status: command.status,
    is_terminal: command.finishedAt !== null,
    reason: command.reason,
    ignored_replies: Number(row?.['ignored_replies'] ?? 0),
    created_at: command.createdAt,
    sent_at: command.sentAt,
    finished_at: command.finishedAt,
  };
}
