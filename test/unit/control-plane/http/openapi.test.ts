import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { openApiDocument } from '../../../../control-plane/http/openapi.ts';
import { defineRoute } from '../../../../control-plane/http/route.ts';

const refSchema = z.object({ uuid: z.uuid(), note: z.string().default('') }).meta({ id: 'Ref' });
const thingSchema = z.object({ name: z.string(), ref: refSchema.nullable() }).meta({ id: 'Thing' });
const plainSchema = z.object({ at: z.iso.datetime() }).meta({ id: 'Plain' });
const bodySchema = z
  .object({ thing: thingSchema, plain: plainSchema, note: z.string().default('') })
  .meta({ id: 'Make' });

const route = defineRoute({
  method: 'POST',
  path: '/api/things/{uuid}',
  operationId: 'test_api_make',
  tag: 'Things',
  summary: 'Make a thing',
  access: 'api',
  params: z.object({ uuid: z.uuid() }),
  query: z.object({ deep: z.enum(['yes', 'no']).optional() }),
  body: bodySchema,
  responses: { 201: z.array(thingSchema), 204: null },
  errors: [409],
  handle: () => [],
});

type Document = Record<string, unknown>;

function at(document: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Document | undefined)?.[key], document);
}

test('a route becomes an operation with its parameters, body, answers and errors', () => {
  const operation = at(openApiDocument([route], '1.2.3'), 'paths', '/api/things/{uuid}', 'post');
  assert.equal(at(operation, 'operationId'), 'test_api_make');
  assert.deepEqual(at(operation, 'security'), [{ api_token: [] }]);
  assert.deepEqual(Object.keys(at(operation, 'responses') as object), [
    '201',
    '204',
    '400',
    '401',
    '404',
    '409',
    '413',
    '422',
  ]);
  assert.deepEqual(at(operation, 'responses', '201', 'content', 'application/json', 'schema'), {
    type: 'array',
    items: { $ref: '#/components/schemas/Thing' },
  });
  assert.equal(at(operation, 'responses', '204', 'content'), undefined);
  assert.deepEqual(at(operation, 'parameters'), [
    { name: 'uuid', in: 'path', required: true, schema: { type: 'string', format: 'uuid' } },
    { name: 'deep', in: 'query', required: false, schema: { type: 'string', enum: ['yes', 'no'] } },
  ]);
});

test('a schema that requests may fill in more loosely is there twice, also when only a part of it differs', () => {
  const document = openApiDocument([route], '1.2.3');
  const schemas = at(document, 'components', 'schemas') as Document;
  assert.deepEqual(Object.keys(schemas).sort(), ['Make', 'Plain', 'Ref', 'RefInput', 'Thing', 'ThingInput']);
  assert.deepEqual(at(schemas, 'Ref', 'required'), ['uuid', 'note']);
  assert.deepEqual(at(schemas, 'RefInput', 'required'), ['uuid']);
  assert.match(JSON.stringify(schemas['ThingInput']), /RefInput/);
  assert.doesNotMatch(JSON.stringify(schemas['Thing']), /RefInput/);
});

test('every reference leads to a component, and answers may gain members', () => {
  const text = JSON.stringify(openApiDocument([route], '1.2.3'));
  const schemas = at(JSON.parse(text), 'components', 'schemas') as Document;
  for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) assert.ok(name in schemas, name);
  assert.doesNotMatch(text, /additionalProperties|\$defs/);
});
