import { z } from 'zod';
import { bootTokenSchema, serverOriginSchema } from './kernel-parameter-definitions.ts';
import { pinSchema } from './public-key.ts';

/** What an installer ISO can be told after it was built; the kernel command line overrides each. */
export const isoSettingsSchema = z.object({
  server: serverOriginSchema.optional(),
  pin: pinSchema.optional(),
  token: bootTokenSchema.optional(),
});

export type IsoSettings = z.infer<typeof isoSettingsSchema>;
