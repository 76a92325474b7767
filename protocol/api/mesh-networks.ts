import { z } from 'zod';
import { int32, objectName, timestamp } from './common.ts';

export const createMeshNetworkSchema = z
  .object({
    name: objectName,
    /** An RFC 1918 network, `10.42.0.0/24`; globally unique, never changed. */
    network_cidr: z.string().max(18),
    /** New machines become members; at most one network is. */
    is_default: z.boolean().default(false),
    route_reflector_mode: z.boolean().default(false),
  })
  .meta({ id: 'CreateMeshNetworkSchema' });

/** Absent: unchanged. `network_cidr` may be repeated but not changed. */
export const updateMeshNetworkSchema = z
  .object({
    name: objectName.optional(),
    network_cidr: z.string().max(18).optional(),
    is_default: z.boolean().optional(),
    route_reflector_mode: z.boolean().optional(),
  })
  .meta({ id: 'UpdateMeshNetworkSchema' });

export const meshNetworkSchema = z
  .object({
    uuid: z.uuid(),
    name: z.string(),
    network_cidr: z.string(),
    is_default: z.boolean(),
    route_reflector_mode: z.boolean(),
    available_ip_count: int32,
    machine_count: int32,
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'MeshNetworkSchema' });

export type CreateMeshNetwork = z.infer<typeof createMeshNetworkSchema>;
export type UpdateMeshNetwork = z.infer<typeof updateMeshNetworkSchema>;
export type MeshNetwork = z.infer<typeof meshNetworkSchema>;
