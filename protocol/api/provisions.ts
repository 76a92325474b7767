import { z } from 'zod';
import { bootWays } from '../commands.ts';
import { timestamp } from './common.ts';

/** Statuses of a run; all but the first two are terminal and final. */
export const runStatuses = [
  'queued',
  'in_progress',
  'completed',
  'degraded',
  'error',
  'timeout',
  'canceled',
  'render_failed',
] as const;

export type RunStatus = (typeof runStatuses)[number];

/** MachineProvisionSchema. */
export const provisionBodySchema = z
  .object({
    /** `rebuild` installs, `discover` goes into the installer, `clear` drops what is queued. */
    mode: z.enum(['rebuild', 'discover', 'clear']).default('rebuild'),
    /** `rebuild`: how the machine goes from the installer into the installed system. `auto`: by kexec where nothing speaks against it. */
    boot: z.enum(bootWays).default('reboot'),
    /** `rebuild`: everything is read back from the disk before it is made bootable. */
    read_back: z.boolean().default(false),
  })
  .meta({ id: 'MachineProvisionSchema' });

export const provisionReplySchema = z.object({
  /** The run that was queued or dropped; null where there is none. */
  provision_uuid: z.uuid().nullable(),
  message: z.string(),
});

/** ProvisionDetailSchema. */
export const provisionSchema = z
  .object({
    uuid: z.uuid(),
    machine_uuid: z.uuid(),
    mode: z.literal('rebuild'),
    status: z.enum(runStatuses),
    /**
     * `queued`, `entering_installer`, a step of provision-event.ts, `booting`, `cloud_init`. After the end, where it was.
     */
    current_step: z.string(),
    current_message: z.string(),
    is_terminal: z.boolean(),
    is_active: z.boolean(),
    progress_percent: z.int().min(0).max(100),
    /** Empty while nothing went wrong. */
    error_message: z.string(),
    /** A code of docs/errors.md, or of the run itself (docs/api.md). */
    error_code: z.string().nullable(),
    disk_state: z.enum(['untouched', 'erased', 'partial', 'complete']).nullable(),
    /** Completed without word of the installed system, which has no agent. */
    unconfirmed: z.boolean(),
    bytes_done: z.int().nonnegative().nullable(),
    bytes_total: z.int().nonnegative().nullable(),
    /** Bytes per second. */
    rate_bps: z.number().nonnegative().nullable(),
    role_names: z.array(z.string()),
    image_uuid: z.uuid().nullable(),
    image_reference: z.string().nullable(),
    /** Null until the registry has told it; never changes after that. */
    image_digest: z.string().nullable(),
    target_disk: z.string().nullable(),
    cancel_requested_at: timestamp.nullable(),
    created_at: timestamp,
    started_at: timestamp.nullable(),
    completed_at: timestamp.nullable(),
    last_event_at: timestamp.nullable(),
    booting_at: timestamp.nullable(),
    hello_at: timestamp.nullable(),
  })
  .meta({ id: 'ProvisionDetailSchema' });

/** One line of a run's history. */
export const provisionHistoryEntrySchema = z.object({
  /** Counts over all runs; grows within one. */
  id: z.int().positive(),
  received_at: timestamp,
  /** `server` for what the server itself noted. */
  boot_id: z.string(),
  /** The agent's frame number in that boot. */
  seq: z.int().positive(),
  kind: z.enum(['provision_event', 'provision_result', 'cloud_init_result', 'server']),
  /** A ProvisionEvent, the frame's fields, or `{status, step, message, code}` of the server. */
  event: z.record(z.string(), z.unknown()),
});

export type Provision = z.infer<typeof provisionSchema>;
export type ProvisionHistoryEntry = z.infer<typeof provisionHistoryEntrySchema>;
export type ProvisionBody = z.infer<typeof provisionBodySchema>;
export type ProvisionReply = z.infer<typeof provisionReplySchema>;
