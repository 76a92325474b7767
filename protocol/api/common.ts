import { z } from 'zod';

/** RFC 3339 in UTC with a `Z`, as the provider's samples are. */
export const timestamp = z.iso.datetime();

/** An integer that fits the published client's int32. */
export const int32 = z
  .int()
  .min(-(2 ** 31))
  .max(2 ** 31 - 1);

/** Body of every error except 422. */
export const errorReplySchema = z.object({ detail: z.string() });

/** Body of 422: where, what, and a word for programs. A breach of a rule between fields has an empty `loc`. */
export const validationReplySchema = z.object({
  detail: z.array(z.object({ loc: z.array(z.union([z.string(), z.number()])), msg: z.string(), type: z.string() })),
});

/** Name of an object, unique in its account. */
export const objectName = z.string().trim().min(1).max(200);
