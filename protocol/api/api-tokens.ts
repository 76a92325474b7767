import { z } from 'zod';
import { objectName, timestamp } from './common.ts';

/** What can be known of an API token after it was made. */
export const apiTokenSchema = z.object({
  uuid: z.uuid(),
  name: z.string(),
  /** The token's last characters, for telling tokens apart. */
  hint: z.string(),
  created_at: timestamp,
  /** Exact to a minute. */
  last_used_at: timestamp.nullable(),
});

export const apiTokenCreateSchema = z.object({ name: objectName });

/** The only answer that ever carries the token. */
export const apiTokenCreatedSchema = apiTokenSchema.extend({ token: z.string() });

export type ApiToken = z.infer<typeof apiTokenSchema>;
