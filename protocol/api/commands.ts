import { z } from 'zod';
import { type CommandKind, commandKinds } from '../commands.ts';
import { timestamp } from './common.ts';

const noArgs = z.object({}).prefault({});
const kexecArgs = z.object({ kexec: z.enum(['auto', 'never']).default('auto') }).prefault({});

/** Kinds whose commands follow from runs: they are made by the endpoints of provisions. */
const runKinds = ['ProvisionMachine', 'CancelProvision'] as const;

/** Bodies of the kinds that an operator gives; missing arguments have the values that do no harm. */
const commandBodies = [
  z.object({ kind: z.literal('BootInstalledSystem'), args: kexecArgs }),
  z.object({ kind: z.literal('EnterInstaller'), args: kexecArgs }),
  z.object({ kind: z.literal('Reboot'), args: noArgs }),
  z.object({ kind: z.literal('PowerOff'), args: noArgs }),
  z.object({
    kind: z.literal('UpdateAgent'),
    args: z.object({
      version: z.string().regex(/^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$/, 'must be a version such as 1.2.3'),
      url: z.url({ protocol: /^https?$/ }).max(2048),
      sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'),
    }),
  }),
  z.object({
    kind: z.literal('CollectLogs'),
    args: z.object({ since: z.iso.datetime().nullable().default(null) }).prefault({}),
  }),
  z.object({ kind: z.enum(runKinds).meta({ description: 'Answered with 422: runs have their own endpoints' }) }),
] as const;

/** `POST /api/provisioning/machines/{uuid}/commands/` */
export const commandBodySchema = z
  .discriminatedUnion('kind', commandBodies, {
    error: (issue) => (issue.code === 'invalid_union' ? `kind must be one of ${commandKinds.join(', ')}` : undefined),
  })
  .meta({ id: 'CommandCreateSchema' });

/** One command with its outcome. Arguments are without secrets: of a `ProvisionMachine` only the run's UUID. */
export const commandSchema = z
  .object({
    uuid: z.uuid(),
    machine_uuid: z.uuid(),
    kind: z.enum(commandKinds as [CommandKind, ...CommandKind[]]),
    args: z.record(z.string(), z.unknown()),
    /** `rejected`, `done`, `failed` and `canceled` are final. */
    status: z.enum(['queued', 'sent', 'accepted', 'rejected', 'done', 'failed', 'canceled']),
    is_terminal: z.boolean(),
    reason: z.string().nullable(),
    /** Replies of the machine after the outcome; they change nothing. */
    ignored_replies: z.int(),
    created_at: timestamp,
    sent_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
  })
  .meta({ id: 'CommandSchema' });

/** `GET /api/provisioning/machines/{uuid}/logs/`: what `CollectLogs` brought, oldest first. */
export const machineLogsSchema = z
  .object({
    /** Of the oldest lines, which are not kept any more. */
    dropped_lines: z.int(),
    entries: z.array(
      z.object({ received_at: timestamp, command_uuid: z.uuid().nullable(), lines: z.array(z.string()) }),
    ),
  })
  .meta({ id: 'MachineLogsSchema' });
