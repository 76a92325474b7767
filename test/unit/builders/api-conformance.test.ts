import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { openApiDocument } from '../../../control-plane/http/openapi.ts';
import { defineRoute } from '../../../control-plane/http/route.ts';
import { ApiConformance, type ApiReply } from '../../builders/api-conformance.ts';

const thing = z.object({ uuid: z.uuid(), size: z.int().nullable() }).meta({ id: 'Thing' });
const base = { tag: 'Things', access: 'api', handle: () => undefined } as const;
const params = z.object({ uuid: z.uuid() });
const document = openApiDocument(
  [
    defineRoute({
      ...base,
      method: 'GET',
      path: '/api/things/{uuid}',
      operationId: 'get',
      summary: 'Get',
      params,
      responses: { 200: thing },
    }),
    defineRoute({
      ...base,
      method: 'DELETE',
      path: '/api/things/{uuid}',
      operationId: 'remove',
      summary: 'Remove',
      params,
      responses: { 204: null },
    }),
  ],
  '1',
);
const uuid = '6f3f3d3a-5f0a-4c51-9c2d-0a5c7cbb2a11';
const path = `/api/things/${uuid}`;

function conformance(reply: ApiReply): ApiConformance {
  return new ApiConformance(document, async () => reply);
}

test('an answer as documented passes and counts as seen', async () => {
  const subject = conformance({ status: 200, body: { uuid, size: null, later_member: 1 } });
  await subject.call('GET', `${path}/?deep=yes`, 200);
  assert.deepEqual(subject.unseen(), ['remove 204']);
  await conformance({ status: 204, body: undefined }).call('DELETE', path, 204);
});

const wrong: readonly [string, ApiReply, number][] = [
  ['another status than expected', { status: 200, body: { uuid, size: 1 } }, 404],
  ['a status that is not documented', { status: 418, body: {} }, 418],
  ['a member of another type', { status: 200, body: { uuid, size: 'big' } }, 200],
  ['a null where none may be', { status: 200, body: { uuid: null, size: 1 } }, 200],
  ['a member that is missing', { status: 200, body: { uuid } }, 200],
  ['an error of another form', { status: 404, body: { message: 'gone' } }, 404],
];
for (const [what, reply, expected] of wrong) {
  test(`it finds ${what}`, async () => {
    await assert.rejects(conformance(reply).call('GET', path, expected), { name: 'AssertionError' });
  });
}

test('it finds a body where none belongs, and a path that the document does not have', async () => {
  await assert.rejects(conformance({ status: 204, body: {} }).call('DELETE', path, 204), { name: 'AssertionError' });
  await assert.rejects(conformance({ status: 200, body: {} }).call('GET', '/api/other/', 200), /does not know it/);
});
