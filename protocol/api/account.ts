import { z } from 'zod';
import { objectName, timestamp } from './common.ts';

export const accountSchema = z.object({
  uuid: z.uuid(),
  name: z.string(),
  /** For machines whose roles name no image. */
  default_image_uuid: z.uuid().nullable(),
  /** Bootstrap tokens that were made before this are refused; null: none are for their age. */
  tokens_valid_from: timestamp.nullable(),
  created_at: timestamp,
});

export const accountUpdateSchema = z.object({
  name: objectName.optional(),
  default_image_uuid: z.uuid().nullable().optional(),
  tokens_valid_from: z.iso.datetime({ offset: true }).nullable().optional(),
});

export type Account = z.infer<typeof accountSchema>;
export type AccountUpdate = z.infer<typeof accountUpdateSchema>;
