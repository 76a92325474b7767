import { z } from 'zod';
import { machineFactsSchema } from './machine-facts.ts';
import { publicKeySchema } from './public-key.ts';

/** `POST /api/agent/enroll` */
export const enrollBodySchema = z.object({
  /** Compact JWE (RFC 7516), opaque to the machine. */
  token: z.string().min(1).max(4096),
  public_key: publicKeySchema,
  facts: machineFactsSchema,
});

/** 201 for a new machine, 200 for a key that the server knows. */
export const enrollReplySchema = z.object({ machine_uuid: z.uuid(), server_time: z.iso.datetime() });

/** `POST /api/agent/approvals` */
export const approvalBodySchema = z.object({ public_key: publicKeySchema, facts: machineFactsSchema });

/** The alphabet has no look-alikes (0/O, 1/I/L, 2/Z, 5/S, 8/B, U/V): it is read from a screen and typed. */
export const approvalCodeAlphabet = '34679ACDEFGHJKMNPQRTWXY';

export const approvalCodeSchema = z
  .string()
  .regex(new RegExp(`^[${approvalCodeAlphabet}]{3}-[${approvalCodeAlphabet}]{3}$`), 'must be a code such as A3C-DEF');

export const approvalCreatedSchema = z.object({
  /** Unguessable: who holds it may ask for the outcome. */
  approval_id: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  code: approvalCodeSchema,
  expires_at: z.iso.datetime(),
  poll_seconds: z.int().positive(),
});

/** `GET /api/agent/approvals/{id}` */
export const approvalStatusSchema = z.discriminatedUnion('status', [
  z.object({ status: z.literal('pending'), expires_at: z.iso.datetime() }),
  z.object({ status: z.literal('approved'), machine_uuid: z.uuid(), server_time: z.iso.datetime() }),
  z.object({ status: z.literal('denied') }),
  z.object({ status: z.literal('expired') }),
]);

/** `GET /api/agent/ca`: fetched unverified, believed only when the certificate hashes to the pin. */
export const caReplySchema = z.object({
  /** PEM. */
  certificate: z.string(),
  server_time: z.iso.datetime(),
});

export type EnrollBody = z.infer<typeof enrollBodySchema>;
export type EnrollReply = z.infer<typeof enrollReplySchema>;
export type ApprovalBody = z.infer<typeof approvalBodySchema>;
export type ApprovalCreated = z.infer<typeof approvalCreatedSchema>;
export type ApprovalStatus = z.infer<typeof approvalStatusSchema>;
export type CaReply = z.infer<typeof caReplySchema>;
