import { z } from 'zod';
import { objectName, timestamp } from './common.ts';

/** Templates name it `vars.NAME` or `secrets.NAME`. */
const value = z.string().max(64 * 1024);
const description = z.string().max(4096);

const create = { name: objectName, value, description: description.default('') };
/** Absent: unchanged. */
const update = { name: objectName.optional(), value: value.optional(), description: description.optional() };
const common = {
  uuid: z.uuid(),
  name: z.string(),
  description: z.string(),
  created_at: timestamp,
  updated_at: timestamp,
};

export const createVariableSchema = z.object(create).meta({ id: 'CreateAccountVariableSchema' });
export const updateVariableSchema = z.object(update).meta({ id: 'UpdateAccountVariableSchema' });
export const variableSchema = z.object({ ...common, value: z.string() }).meta({ id: 'AccountVariableSchema' });

export const createSecretSchema = z.object(create).meta({ id: 'CreateAccountSecretSchema' });
export const updateSecretSchema = z.object(update).meta({ id: 'UpdateAccountSecretSchema' });
/** Without the value, which never comes back. */
export const secretSchema = z.object(common).meta({ id: 'AccountSecretSchema' });

export type CreateAccountValue = z.infer<typeof createVariableSchema>;
export type UpdateAccountValue = z.infer<typeof updateVariableSchema>;
export type Variable = z.infer<typeof variableSchema>;
export type Secret = z.infer<typeof secretSchema>;
