import { z } from 'zod';
import { int32, objectName, timestamp } from './common.ts';

/** Host of a registry; a scheme before it and slashes after it are cut off. */
const registryUrl = z
  .string()
  .max(512)
  .transform((text) =>
    text
      .trim()
      .replace(/^[a-z][a-z0-9+.-]*:\/\//i, '')
      .replace(/\/+$/, ''),
  )
  .pipe(z.string().regex(/^[^\s@/]+(\/[^\s@]*)?$/, 'must be the host of a registry, without user name and password'));

const username = z.string().min(1).max(512);
/** A service account key of GCP is JSON of a few KiB. */
const password = z
  .string()
  .min(1)
  .max(64 * 1024);
const description = z.string().max(4096);

/** Without the password, which never comes back. */
export const registryCredentialSchema = z
  .object({
    uuid: z.uuid(),
    name: z.string(),
    registry_url: z.string(),
    username: z.string(),
    description: z.string(),
    /** How many images use it. */
    image_count: int32,
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'RegistryCredentialSchema' });

export const registryCredentialCreateSchema = z
  .object({
    name: objectName,
    registry_url: registryUrl,
    username,
    password,
    description: description.default(''),
  })
  .meta({ id: 'CreateRegistryCredentialSchema' });

export const registryCredentialUpdateSchema = z
  .object({
    name: objectName.optional(),
    registry_url: registryUrl.optional(),
    username: username.optional(),
    password: password.optional(),
    description: description.optional(),
  })
  .meta({ id: 'UpdateRegistryCredentialSchema' });

export type RegistryCredential = z.infer<typeof registryCredentialSchema>;
export type RegistryCredentialCreate = z.infer<typeof registryCredentialCreateSchema>;
export type RegistryCredentialUpdate = z.infer<typeof registryCredentialUpdateSchema>;
