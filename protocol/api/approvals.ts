import { z } from 'zod';
import { machineFactsSchema } from '../machine-facts.ts';
import { timestamp } from './common.ts';

/** A machine that asked to be let in. Its code is on its screen only: who enters it stands there. */
export const approvalSchema = z.object({
  uuid: z.uuid(),
  status: z.enum(['pending', 'approved', 'denied']),
  /** As the socket had it. */
  address: z.string(),
  facts: machineFactsSchema,
  machine_uuid: z.uuid().nullable(),
  created_at: timestamp,
  expires_at: timestamp,
});

export const approvalEntrySchema = z.object({
  /** As the machine shows it; lower case, spaces and a missing hyphen are understood. */
  code: z.string().min(1).max(32),
  /** `preview` only shows whose code it is. */
  action: z.enum(['preview', 'approve', 'deny']).default('approve'),
});

export type Approval = z.infer<typeof approvalSchema>;
