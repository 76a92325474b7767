import { z } from 'zod';
import { objectName, timestamp } from './common.ts';

/** `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`; kept as it was given. The server checks that it is one. */
const dockerImageUrl = z.string().min(1).max(1024);
const description = z.string().max(4096).nullable();

export const imageSchema = z
  .object({
    uuid: z.uuid(),
    name: z.string(),
    docker_image_url: z.string(),
    registry_credential_uuid: z.uuid().nullable(),
    registry_credential_name: z.string().nullable(),
    is_official: z.boolean(),
    description: z.string().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'ImageSchema' });

export const imageCreateSchema = z
  .object({
    name: objectName,
    docker_image_url: dockerImageUrl,
    registry_credential_uuid: z.uuid().nullable().default(null),
    description: description.default(null),
  })
  .meta({ id: 'CreateImageSchema' });

export const imageUpdateSchema = z
  .object({
    name: objectName.optional(),
    docker_image_url: dockerImageUrl.optional(),
    registry_credential_uuid: z.uuid().nullable().optional(),
    description: description.optional(),
  })
  .meta({ id: 'UpdateImageSchema' });

export type Image = z.infer<typeof imageSchema>;
export type ImageCreate = z.infer<typeof imageCreateSchema>;
export type ImageUpdate = z.infer<typeof imageUpdateSchema>;
