import { z } from 'zod';
import { inventorySchema } from '../inventory.ts';
import { machineFactsSchema } from '../machine-facts.ts';
import { timestamp } from './common.ts';
import { runStatuses } from './provisions.ts';

export const tunnelTypes = ['auto', 'wireguard', 'geneve'] as const;

/** What the machine list shows of an installation. */
export const provisionStates = ['Discovery mode', 'Install pending', 'Installing', 'Installed', 'Failed'] as const;

/** Labels as RFC 1123 has them, at most 253 characters. */
const hostnameSchema = z
  .string()
  .max(253)
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/,
    'must be a hostname (RFC 1123)',
  );

/** The machine's newest run, in short. */
const lastProvisionSchema = z.object({
  uuid: z.uuid(),
  status: z.enum(runStatuses),
  current_step: z.string(),
  current_message: z.string(),
  progress_percent: z.int(),
  rate_bps: z.number().nullable(),
});

const common = {
  uuid: z.uuid(),
  hostname: z.string(),
  needs_provisioning: z.boolean(),
  pending_config_push: z.boolean(),
  mesh_ip_address: z.string().nullable(),
  /** The same under its old name, which providers up to 1.1.1 read. */
  wg_ip_address: z.string().nullable(),
  /** Heard of within 60 s. */
  is_online: z.boolean(),
  is_in_initrd: z.boolean(),
  tunnel_type: z.enum(tunnelTypes),
  stun_enabled: z.boolean(),
  auto_update: z.boolean(),
  inject_agent: z.boolean(),
  kexec_installer: z.boolean(),
  /** In the order in which they were set. */
  role_names: z.array(z.string()),
  created_at: timestamp,
  updated_at: timestamp,
  provision_state: z.enum(provisionStates),
  last_provision: lastProvisionSchema.nullable(),
  last_seen_at: timestamp.nullable(),
  mode: z.enum(['installer', 'installed']).nullable(),
  agent_version: z.string().nullable(),
  /** Machines that this one may be a second record of. */
  possible_duplicates: z.array(z.uuid()),
} as const;

/** MachineSchema: an item of the list, flatter than the machine itself. */
export const machineListItemSchema = z
  .object({ ...common, mesh_network_uuid: z.uuid().nullable() })
  .meta({ id: 'MachineSchema' });

/** MachineResponseSchema. */
export const machineSchema = z
  .object({
    ...common,
    mesh_network: z.object({ uuid: z.uuid(), name: z.string(), network_cidr: z.string() }).nullable(),
    target_disk: z.string().nullable(),
    discovered_ip_addresses: z.array(z.string()),
    system_uuid: z.string().nullable(),
    /** Whether it has enrolled; false for one that was registered by its MAC addresses only. */
    is_enrolled: z.boolean(),
    macs: z.array(z.string()),
    facts: machineFactsSchema.nullable(),
    hardware: inventorySchema.nullable(),
    installed_provision_uuid: z.uuid().nullable(),
    /** Until then the next network boot gets the installer. */
    install_until: timestamp.nullable(),
    /** How long the machine may be away between systems. */
    boot_timeout_seconds: z.int(),
  })
  .meta({ id: 'MachineResponseSchema' });

/** MachineUpdateSchema: what is absent stays as it is. */
export const machineUpdateSchema = z
  .object({
    hostname: hostnameSchema.optional(),
    mesh_network_uuid: z.uuid().nullable().optional(),
    tunnel_type: z.enum(tunnelTypes).optional(),
    stun_enabled: z.boolean().optional(),
    auto_update: z.boolean().optional(),
    inject_agent: z.boolean().optional(),
    /** A path, a by-id name, `serial:…`, `wwn:…` or a rule; null: the only eligible disk. */
    target_disk: z
      .string()
      .trim()
      .min(1)
      .max(512)
      .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII')
      .nullable()
      .optional(),
    kexec_installer: z.boolean().optional(),
    /** Replaces the whole list. */
    role_names: z.array(z.string()).max(256).optional(),
    boot_timeout_seconds: z.int().min(60).max(86_400).optional(),
  })
  .meta({ id: 'MachineUpdateSchema' });

/** Something that happened to a machine. */
export const machineEventSchema = z.object({
  id: z.int().positive(),
  time: timestamp,
  kind: z.string(),
  message: z.string(),
  facts: z.record(z.string(), z.unknown()),
});

export type MachineListItem = z.infer<typeof machineListItemSchema>;
export type Machine = z.infer<typeof machineSchema>;
export type MachineUpdate = z.infer<typeof machineUpdateSchema>;
export type MachineEventEntry = z.infer<typeof machineEventSchema>;
