import { z } from 'zod';
import { timestamp } from './common.ts';

/** The name goes into the token, and the token onto a kernel command line of 2,048 bytes. */
export const maxTokenNameLength = 64;

/** The lifetimes that a bootstrap token can have, and no others; the first is the default. */
export const bootstrapLifetimes = ['10m', '1d', '7d', '30d', '90d', '365d'] as const;

export type BootstrapLifetime = (typeof bootstrapLifetimes)[number];

export const bootstrapTokenCreateSchema = z.object({
  lifetime: z.enum(bootstrapLifetimes).default('10m'),
  /** Who made it, for the record of each machine that enrols with it; absent: the name of the API token that asks. */
  name: z.string().trim().min(1).max(maxTokenNameLength).optional(),
});

export const bootstrapTokenSchema = z.object({
  /** Compact JWE, shown here only: the server keeps no record of it. */
  token: z.string(),
  kid: z.string(),
  name: z.string(),
  lifetime: z.enum(bootstrapLifetimes),
  expires_at: timestamp,
  /** For a running system, as root. */
  install_command: z.string(),
  /** For the installer's kernel command line. */
  kernel_parameters: z.string(),
});

export const bootstrapKeySchema = z.object({
  kid: z.string(),
  created_at: timestamp,
  /** Whether new tokens are made with it. */
  is_issuing: z.boolean(),
});

export type BootstrapToken = z.infer<typeof bootstrapTokenSchema>;
export type BootstrapKeyInfo = z.infer<typeof bootstrapKeySchema>;
