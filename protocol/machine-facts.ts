import { z } from 'zod';

/** A NIC that has a permanent address; names are the kernel's. */
const nicFactsSchema = z.object({
  name: z.string().max(64),
  /** Permanent (burnt-in) address, lower-case, `52:54:00:12:34:56`. */
  mac: z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, 'must be a MAC address in lower case with colons'),
});

const text = z.string().max(256).nullable().default(null);

/**
 * What a machine says about itself when it enrols. These are facts for an operator's eyes and for recognising a
 * machine that lost its key before it was installed; none of them is its identity (protocol.md, "Machine identity").
 * SMBIOS fields come from `/sys/class/dmi/id` (DMTF DSP0134) and are null where the firmware says nothing.
 */
export const machineFactsSchema = z.object({
  hostname: text,
  /** SMBIOS type 1 UUID, lower-case. */
  system_uuid: z.guid().toLowerCase().nullable().default(null),
  system_vendor: text,
  product_name: text,
  system_serial: text,
  board_serial: text,
  architecture: text,
  firmware: z.enum(['uefi', 'bios']).nullable().default(null),
  mode: z.enum(['installer', 'installed']).nullable().default(null),
  agent_version: text,
  nics: z.array(nicFactsSchema).max(256).default([]),
  /** Addresses of global scope without prefix length, IPv4 and IPv6. */
  addresses: z.array(z.string().max(64)).max(256).default([]),
});

export type MachineFacts = z.infer<typeof machineFactsSchema>;
