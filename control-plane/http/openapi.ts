import { z } from 'zod';
import { errorReplySchema, validationReplySchema } from '../../protocol/api/common.ts';
import type { ErrorStatus } from './api-error.ts';
import type { Route } from './route.ts';

type Json = Record<string, unknown>;

const meanings: Readonly<Record<ErrorStatus, string>> = {
  400: 'The request cannot be read',
  401: 'The API token is missing or not accepted',
  403: 'Not allowed',
  404: 'There is no such object',
  409: 'The state of the object, or another object, stands against it',
  413: 'The body is too large',
  422: 'The request has the wrong form or a value that cannot be',
  429: 'Too many requests',
  503: 'The server is not ready',
};

/** The OpenAPI 3.1 document of the given routes, made from the schemas that parse and check them. */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const components = new Components(answerNames(routes));
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(route, components) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'durantic server', version },
    paths,
    components: {
      schemas: components.schemas,
      securitySchemes: { api_token: { type: 'http', scheme: 'bearer', description: 'An API token, `dur_…`' } },
    },
  };
}

function operation(route: Route, components: Components): Json {
  const responses: Record<string, Json> = {};
  for (const [status, schema] of Object.entries(route.responses)) {
    responses[status] = {
      description: route.summary,
      ...(schema === null
        ? {}
        : { content: { [route.contentType ?? 'application/json']: { schema: components.of(schema, 'output') } } }),
    };
  }
  for (const status of errorsOf(route)) {
    const schema = components.of(status === 422 ? validationReplySchema : errorReplySchema, 'output');
    responses[status] = { description: meanings[status], content: { 'application/json': { schema } } };
  }
  return {
    operationId: route.operationId,
    tags: [route.tag],
    summary: route.summary,
    ...(route.access === 'api' ? { security: [{ api_token: [] }] } : {}),
    parameters: [...parameters(route, 'path', components), ...parameters(route, 'query', components)],
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: components.of(route.body, 'input') } },
          },
        }),
    responses,
  };
}

function errorsOf(route: Route): ErrorStatus[] {
  const statuses = new Set<ErrorStatus>(route.errors ?? []);
  if (route.access === 'api') statuses.add(401);
  if (route.params !== undefined) statuses.add(404);
  if (route.body !== undefined) for (const status of [400, 413, 422] as const) statuses.add(status);
  if (route.query !== undefined) statuses.add(422);
  return [...statuses].sort((a, b) => a - b);
}

function parameters(route: Route, where: 'path' | 'query', components: Components): Json[] {
  const schema = where === 'path' ? route.params : route.query;
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = components.inline(schema) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: property,
  }));
}

/**
 * Schemas with an id (`.meta({ id })`) become components. A schema that a request may fill in more loosely than an
 * answer does (defaults) is there twice, `Thing` and `ThingInput`.
 */
class Components {
  readonly schemas: Record<string, unknown> = {};
  readonly #answerNames: ReadonlySet<string>;

  /** @param answerNames Schemas that answers have: their names are taken. */
  constructor(answerNames: ReadonlySet<string>) {
    this.#answerNames = answerNames;
  }

  of(schema: z.ZodType, io: 'input' | 'output'): unknown {
    const { defs, root } = jsonSchemaOf(schema, io);
    const loose = io === 'input' ? looseNames(defs, jsonSchemaOf(schema, 'output').defs) : new Set<string>();
    const rename = (name: string): string => (loose.has(name) && this.#answerNames.has(name) ? `${name}Input` : name);
    for (const [name, value] of Object.entries(defs)) this.schemas[rename(name)] = withNames(value, rename);
    return withNames(root, rename);
  }

  inline(schema: z.ZodType): unknown {
    return jsonSchemaOf(schema, 'input').root;
  }
}

function answerNames(routes: readonly Route[]): Set<string> {
  const schemas = routes.flatMap(({ responses }) => Object.values(responses)).filter((schema) => schema !== null);
  return new Set(schemas.flatMap((schema) => Object.keys(jsonSchemaOf(schema, 'output').defs)));
}

function jsonSchemaOf(schema: z.ZodType, io: 'input' | 'output'): { defs: Record<string, unknown>; root: Json } {
  const { $schema: _, $defs, ...root } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json;
  return { defs: tidy($defs ?? {}) as Record<string, unknown>, root: tidy(root) as Json };
}

/** Names whose input differs from the output, by themselves or by what they refer to. */
function looseNames(inputs: Record<string, unknown>, outputs: Record<string, unknown>): Set<string> {
  const loose = new Set(
    Object.keys(inputs).filter((name) => JSON.stringify(inputs[name]) !== JSON.stringify(outputs[name])),
  );
  for (let size = -1; size !== loose.size; ) {
    size = loose.size;
    for (const [name, value] of Object.entries(inputs)) {
      const text = JSON.stringify(value);
      if ([...loose].some((other) => text.includes(`"#/$defs/${other}"`))) loose.add(name);
    }
  }
  return loose;
}

/**
 * Leaves out what would bind clients more than we mean: objects may gain members in a later version, and a format's
 * regular expression says nothing that the format does not.
 */
function tidy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tidy);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key, member]) => {
    if (key === 'additionalProperties' && member === false) return false;
    if (key === 'pattern' && 'format' in value) return false;
    return (
      !(key === 'maximum' && member === Number.MAX_SAFE_INTEGER) &&
      !(key === 'minimum' && member === Number.MIN_SAFE_INTEGER)
    );
  });
  return Object.fromEntries(entries.map(([key, member]) => [key, tidy(member)]));
}

function withNames(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((each) => withNames(each, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      if (key !== '$ref' || typeof member !== 'string') return [key, withNames(member, rename)];
      return [key, `#/components/schemas/${rename(member.replace('#/$defs/', ''))}`];
    }),
  );
}
