import { z } from 'zod';
import { timestamp } from './common.ts';

/** `52:54:00:12:34:56`, also with hyphens and capitals. */
const macInput = z
  .string()
  .trim()
  .toLowerCase()
  .transform((text) => text.replaceAll('-', ':'))
  .pipe(z.string().regex(/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/, 'must be the MAC address of an interface'))
  .refine((mac) => mac !== '00:00:00:00:00:00', 'must be the MAC address of an interface');

const hostname = z
  .string()
  .trim()
  .regex(
    /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/,
    'must be a hostname',
  );

/** Registers a machine before it was ever there; `mac`, `macs` or both. */
export const knownMachineCreateSchema = z
  .object({
    mac: macInput.optional(),
    macs: z.array(macInput).max(64).default([]),
    /** Absent: `node-` and the last digits of the address. */
    hostname: hostname.optional(),
  })
  .refine(({ mac, macs }) => mac !== undefined || macs.length > 0, 'at least one MAC address is needed');

export const knownMachineSchema = z.object({
  uuid: z.uuid(),
  hostname: z.string(),
  macs: z.array(z.string()),
  created_at: timestamp,
});

export const maxInstallMarkMinutes = 7 * 24 * 60;

export const installMarkCreateSchema = z.object({
  /** How long the machine's next network boot gets the installer. */
  minutes: z.int().min(1).max(maxInstallMarkMinutes).default(60),
});

export const installMarkSchema = z.object({ machine_uuid: z.uuid(), install_until: timestamp });

export const adoptSchema = z.object({
  /** The machine whose key is given to the one in the path, and whose record disappears. */
  from: z.uuid(),
});

export const adoptedSchema = z.object({ machine_uuid: z.uuid() });
