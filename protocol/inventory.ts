import { z } from 'zod';

const name = z.string().max(256).nullable();
const bytes = z.number().int().nonnegative();

/** Hardware of a machine, sent after each welcome and when it changes. Sizes in bytes. */
export const inventorySchema = z.object({
  cpu: z.object({ model: name, sockets: z.int().nullable(), cores: z.int().nullable(), threads: z.int().nullable() }),
  memory_bytes: bytes.nullable(),
  disks: z
    .array(
      z.object({
        path: z.string().max(256),
        /** Name under `/dev/disk/by-id`. */
        by_id: name,
        serial: name,
        wwn: name,
        model: name,
        size_bytes: bytes,
        sector_bytes: z.int().positive(),
        transport: name,
        /** Whether a system can be installed on it, and why not. */
        is_eligible: z.boolean(),
        reason: name,
      }),
    )
    .max(4096),
  nics: z
    .array(
      z.object({
        name: z.string().max(64),
        mac: z.string().max(64).nullable(),
        driver: name,
        speed_mbps: z.int().nullable(),
        has_carrier: z.boolean().nullable(),
        addresses: z.array(z.string().max(64)).max(256),
      }),
    )
    .max(1024),
  gpus: z.array(z.object({ vendor: name, device: name, driver: name })).max(256),
  firmware: z.object({
    kind: z.enum(['uefi', 'bios']).nullable(),
    vendor: name,
    version: name,
    secure_boot: z.boolean().nullable(),
  }),
  /** `kvm`, `vmware`, `none`, …: the names of systemd-detect-virt(1). */
  virtualisation: name,
  kernel: name,
  os: name,
});

export type Inventory = z.infer<typeof inventorySchema>;
