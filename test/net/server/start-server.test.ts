import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer } from '../../builders/server.ts';
import { Resources } from '../../resources.ts';

test('a server on an empty folder answers over TLS by its own CA', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  assert.match(server.adminToken, /^dur_/);
  assert.match(server.pin, /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual(server.context.publicUrls, [server.url]);
  const reply = await server.api('GET', '/nothing');
  assert.equal(reply.status, 404);
  assert.deepEqual(reply.body, { detail: 'there is nothing at this address' });
});
