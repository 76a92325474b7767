import fc from 'fast-check';
import { z } from 'zod';

/** The part of JSON Schema that our request schemas use. */
interface JsonSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

/**
 * Values that a zod schema of a request (nearly) takes, made from its JSON Schema; `uuid` gives the UUIDs, so that some
 * name what exists.
 */
export function valueOfSchema(schema: z.ZodType, uuid: fc.Arbitrary<string>): fc.Arbitrary<unknown> {
  return arbitraryOf(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema, uuid);
}

function arbitraryOf(schema: JsonSchema, uuid: fc.Arbitrary<string>): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return fc.oneof(...choices.map((choice) => arbitraryOf(choice, uuid)));
  switch (schema.type) {
    case 'string':
      return textOf(schema, uuid);
    case 'integer':
    case 'number':
      return fc.integer({
        min: Math.max(schema.minimum ?? -1000, -(2 ** 31)),
        max: Math.min(schema.maximum ?? 1000, 2 ** 31 - 1),
      });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return fc.array(arbitraryOf(schema.items ?? {}, uuid), { maxLength: 4 });
    case 'object':
      return objectOf(schema, uuid);
    default:
      return fc.jsonValue();
  }
}

function objectOf({ properties = {}, required = [] }: JsonSchema, uuid: fc.Arbitrary<string>): fc.Arbitrary<object> {
  const entries = Object.entries(properties).map(([key, schema]) => [key, arbitraryOf(schema, uuid)] as const);
  return fc.record(Object.fromEntries(entries), { requiredKeys: [...required] });
}

function textOf(schema: JsonSchema, uuid: fc.Arbitrary<string>): fc.Arbitrary<string> {
  if (schema.format === 'uuid') return uuid;
  if (schema.format === 'date-time') return fc.constantFrom('2026-11-20T12:00:00Z', '2036-01-01T00:00:00Z');
  if (schema.format === 'uri') return fc.constantFrom('https://server.test/x', 'http://[::1]:1/', 'oci://a');
  if (schema.pattern !== undefined) return matching(schema.pattern);
  const options = { minLength: schema.minLength ?? 0, maxLength: Math.min(schema.maxLength ?? 30, 60) };
  return fc.oneof(
    fc.string(options),
    fc.constantFrom('name-1', 'registry.test/os:1', '10.0.0.0/24', '{{ machine.hostname }}'),
  );
}

function matching(pattern: string): fc.Arbitrary<string> {
  try {
    return fc.stringMatching(new RegExp(pattern));
  } catch {
    // Look-around is more than the generator can do.
    return fc.string();
  }
}
