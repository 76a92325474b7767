import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { accountValues } from '../../../control-plane/variables/store-account-value.ts';
import { startTestServer } from '../../builders/server.ts';
import { Resources } from '../../resources.ts';

type Value = { uuid: string; name: string; value?: string };

test('values of secrets never come back, and lie sealed on the disk', async () => {
  await using resources = new Resources();
  const { api, context, dataDir } = await startTestServer(resources);
  const path = '/api/controlplane/secrets/';
  const replies = [await api<Value>('POST', path, { name: 'TOKEN', value: 'first-value-of-it', description: 'd' })];
  const item = `${path}${replies[0]?.body.uuid}`;
  assert.deepEqual(accountValues(context, 'secret'), { TOKEN: 'first-value-of-it' });
  replies.push(await api('PATCH', item, { description: 'changed' }));
  assert.deepEqual(accountValues(context, 'secret'), { TOKEN: 'first-value-of-it' }, 'absent is unchanged');
  replies.push(await api('PATCH', item, { name: 'RENAMED', value: 'second-value-of-it' }), await api('GET', item));
  replies.push(await api('GET', path));
  assert.deepEqual(accountValues(context, 'secret'), { RENAMED: 'second-value-of-it' });
  for (const { status, body } of replies) {
    assert.ok(status === 200 || status === 201);
    assert.doesNotMatch(JSON.stringify(body), /value/);
  }
  context.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  const files = readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  assert.ok(files.length > 1);
  for (const { parentPath, name } of files) {
    assert.ok(!readFileSync(join(parentPath, name)).includes('value-of-it'), name);
  }
  assert.equal((await api('DELETE', item)).status, 204);
  assert.equal((await api('GET', item)).status, 404);
  assert.deepEqual(accountValues(context, 'secret'), {});
});

test('variables show their value; an empty one is a value', async () => {
  await using resources = new Resources();
  const { api, context } = await startTestServer(resources);
  const path = '/api/controlplane/variables/';
  const { body } = await api<Value>('POST', path, { name: 'EMPTY', value: '' });
  assert.equal(body.value, '');
  assert.equal((await api('POST', path, { name: 'EMPTY', value: 'x' })).status, 409);
  assert.equal((await api('POST', path, { name: 'OTHER', value: 'x' })).status, 201);
  assert.equal((await api('PATCH', `${path}${body.uuid}`, { name: 'OTHER' })).status, 409);
  assert.equal((await api('PATCH', `${path}${body.uuid}`, { value: null })).status, 422);
  assert.deepEqual(accountValues(context, 'variable'), { EMPTY: '', OTHER: 'x' });
});
