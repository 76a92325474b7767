import { z } from 'zod';
import { int32, objectName, timestamp } from './common.ts';

/** Jinja that renders to cloud-config or another kind of user data. */
const templateData = z.string().max(512 * 1024);
const description = z.string().max(4096);

export const createMachineRoleSchema = z
  .object({
    name: objectName,
    /** Roles are merged from the lowest to the highest; the higher one's scalars win. */
    merge_priority: int32.default(100),
    template_data: templateData.default(''),
    description: description.default(''),
    image_uuid: z.uuid().nullable().default(null),
    vip_uuid: z.uuid().nullable().default(null),
    requires_mesh: z.boolean().default(false),
  })
  .meta({ id: 'CreateMachineRoleSchema' });

/** Absent: unchanged; `image_uuid: null` takes the image away. */
export const updateMachineRoleSchema = z
  .object({
    name: objectName.optional(),
    merge_priority: int32.optional(),
    template_data: templateData.optional(),
    description: description.optional(),
    image_uuid: z.uuid().nullable().optional(),
    vip_uuid: z.uuid().nullable().optional(),
    requires_mesh: z.boolean().optional(),
  })
  .meta({ id: 'UpdateMachineRoleSchema' });

export const machineRoleSchema = z
  .object({
    uuid: z.uuid(),
    name: z.string(),
    merge_priority: int32,
    template_data: z.string(),
    description: z.string(),
    image: z.object({ uuid: z.uuid(), name: z.string(), docker_image_url: z.string() }).nullable(),
    vip: z.object({ uuid: z.uuid() }).nullable(),
    requires_mesh: z.boolean(),
    is_official: z.boolean(),
    forked_from_uuid: z.uuid().nullable(),
    /** The image that an official role expects. */
    required_image_name: z.string().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'MachineRoleSchema' });

/** A role that is not saved yet, in the place of the saved one of that name or beside the others. */
const draftRoleSchema = z.object({
  name: objectName,
  template_data: templateData,
  merge_priority: int32.default(100),
});

export const previewRolesSchema = z
  .object({
    machine_uuid: z.uuid(),
    /** Absent: the machine's own. */
    role_names: z.array(objectName).max(100).optional(),
    draft: draftRoleSchema.optional(),
  })
  .meta({ id: 'PreviewRolesSchema' });

/** What a machine would get. The values of secrets are replaced by `<secret NAME>`. */
export const rolePreviewSchema = z
  .object({
    /** One `#cloud-config`, MIME multipart, or null when no role has a template. */
    user_data: z.string().nullable(),
    parts: z.array(z.object({ content_type: z.string(), file_name: z.string(), text: z.string() })),
    /** Each role by itself, in the order they are merged. */
    roles: z.array(z.object({ name: z.string(), text: z.string() })),
    error: z.object({ role_name: z.string(), line: z.int().nullable(), message: z.string() }).nullable(),
  })
  .meta({ id: 'RolePreviewSchema' });

export type CreateMachineRole = z.infer<typeof createMachineRoleSchema>;
export type UpdateMachineRole = z.infer<typeof updateMachineRoleSchema>;
export type MachineRole = z.infer<typeof machineRoleSchema>;
export type PreviewRoles = z.infer<typeof previewRolesSchema>;
export type RolePreview = z.infer<typeof rolePreviewSchema>;
