import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';

/**
 * A JSON file of ours, checked against its schema; null when it does not exist.
 * @throws ProvisionError `document_invalid` naming the field, never its value; `permission`.
 */
export function readJsonFile<T>(path: string, schema: z.ZodType<T>): T | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return null;
    throw new ProvisionError('permission', `${path} cannot be read`, { cause, facts: { path } });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which may be a private key.
    throw new ProvisionError('document_invalid', `${path} is not JSON`, { facts: { path } });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join('.') || 'the document';
  throw new ProvisionError('document_invalid', `${path}: ${field} is missing or not valid`, { facts: { path, field } });
}
