import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { accountOfApiToken } from '../../../control-plane/enrolment/api-tokens.ts';
import { enrolmentServer } from '../../builders/enrolment.ts';
import { Resources } from '../../resources.ts';

const path = '/api/controlplane/api-tokens/';

test('a token is shown once, listed by its hint, stored as a hash, and revoked at once', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { db, accountUuid } = server.context;
  const created = await server.call('POST', path, { name: 'terraform' });
  assert.equal(created.status, 201);
  const token = String(created.body['token']);
  assert.match(token, /^dur_[A-Za-z0-9_-]{43}$/);
  assert.equal(accountOfApiToken(server.context, token), accountUuid);

  const list = await server.call('GET', path);
  const rows = list.body as unknown as Record<string, unknown>[];
  assert.deepEqual(
    rows.map(({ name }) => name),
    ['rack operator', 'terraform'],
  );
  assert.deepEqual(Object.keys(rows[1] ?? {}).sort(), ['created_at', 'hint', 'last_used_at', 'name', 'uuid']);
  assert.equal(rows[1]?.['hint'], token.slice(-6));
  assert.ok(!list.text.includes(token.slice(0, -6)));
  const stored = JSON.stringify(db.prepare('SELECT * FROM api_tokens').all());
  assert.ok(!stored.includes(token) && !stored.includes(token.slice(4, -6)));
  assert.ok(stored.includes(createHash('sha256').update(token).digest('hex')));

  assert.equal((await server.call('DELETE', path + String(created.body['uuid']))).status, 204);
  assert.equal(accountOfApiToken(server.context, token), null);
  assert.equal((await server.call('DELETE', path + String(created.body['uuid']))).status, 404);
});

test('names: one is needed, null is none, the same twice is allowed', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  for (const body of [{}, { name: null }, { name: ' ' }, { name: 'x'.repeat(201) }]) {
    assert.equal((await server.call('POST', path, body)).status, 422);
  }
  for (let round = 0; round < 2; round += 1) {
    assert.equal((await server.call('POST', path, { name: 'same' })).status, 201);
  }
});

test('the last use is noted at most once a minute, also after the clock was set back', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { db } = server.context;
  const lastUsed = (): unknown => db.prepare('SELECT last_used_at FROM api_tokens').get()?.['last_used_at'];
  const use = (): unknown => accountOfApiToken(server.context, server.apiToken);
  assert.equal(lastUsed(), null);
  use();
  const first = lastUsed();
  assert.equal(first, new Date(server.clock.now()).toISOString());
  server.clock.advance(59_000);
  use();
  assert.equal(lastUsed(), first);
  server.clock.advance(1000);
  use();
  assert.equal(lastUsed(), new Date(server.clock.now()).toISOString());
  server.clock.advance(-3_600_000);
  use();
  assert.equal(lastUsed(), new Date(server.clock.now()).toISOString());
});

test('what is no token is refused: altered, cut, empty, the hash itself', async () => {
  await using resources = new Resources();
  const { context, apiToken } = enrolmentServer(resources);
  const flipped = apiToken.slice(0, -1) + (apiToken.endsWith('A') ? 'B' : 'A');
  const hash = createHash('sha256').update(apiToken).digest('hex');
  for (const token of ['', 'dur_', flipped, apiToken.slice(0, -1), ` ${apiToken}`, hash, `dur_${hash}`]) {
    assert.equal(accountOfApiToken(context, token), null, token);
  }
});
