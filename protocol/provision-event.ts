import { z } from 'zod';

/** The seven steps of an installation in order; ids are public (API, dashboard, logs, `--json`). */
export const stepIds = [
  'image_inspection',
  'bootloader_streaming',
  'partition_resize',
  'layer_extraction',
  'cloud_init_configuration',
  'agent_injection',
  'sync_and_reboot',
] as const;

export type StepId = (typeof stepIds)[number];

export const stepNames: Readonly<Record<StepId, string>> = {
  image_inspection: 'Image Inspection',
  bootloader_streaming: 'Bootloader Streaming',
  partition_resize: 'Partition Resize',
  layer_extraction: 'Layer Extraction',
  cloud_init_configuration: 'Cloud-Init Configuration',
  agent_injection: 'Agent Injection',
  sync_and_reboot: 'Sync and Reboot',
};

/** Share of each step in the overall percentage; they add up to 100. */
export const stepWeights: Readonly<Record<StepId, number>> = {
  image_inspection: 2,
  bootloader_streaming: 10,
  partition_resize: 5,
  layer_extraction: 70,
  cloud_init_configuration: 1,
  agent_injection: 2,
  sync_and_reboot: 10,
};

const factValue = z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())]);

/**
 * One event of an installation. The same schema serves `--json`, the agent socket, logs and the TUI. The last event
 * has `step: null`, a final `state` and `exit_code`.
 */
export const provisionEventSchema = z.object({
  v: z.literal(1),
  /** Counts from 1 without gaps. */
  seq: z.int().positive(),
  /** RFC 3339, UTC. */
  time: z.iso.datetime(),
  provision_uuid: z.uuid(),
  step: z.enum(stepIds).nullable(),
  state: z.enum(['started', 'progress', 'succeeded', 'warning', 'skipped', 'failed', 'aborted']),
  /** Of the whole installation, 0 to 100; never goes back. */
  percent: z.number().min(0).max(100),
  bytes_done: z.number().int().nonnegative().nullable(),
  bytes_total: z.number().int().nonnegative().nullable(),
  rate_bps: z.number().nonnegative().nullable(),
  message: z.string(),
  code: z.string().optional(),
  kind: z.enum(['input', 'environment', 'transient', 'integrity', 'device', 'aborted', 'bug']).optional(),
  /** How far this installation has brought the disk. Every event says it: after a power cut the last one counts. */
  disk_state: z.enum(['untouched', 'erased', 'partial', 'complete']).optional(),
  retryable: z.boolean().optional(),
  facts: z.record(z.string(), factValue).optional(),
  exit_code: z.int().nonnegative().optional(),
});

export type ProvisionEvent = z.infer<typeof provisionEventSchema>;
