import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServerProcess } from '../../builders/server.ts';
import { Resources } from '../../resources.ts';

const limitMs = 2000;

test('from nothing to the first answer to the first token: less than 2 s', async (context) => {
  await using resources = new Resources();
  const times: number[] = [];
  // The machine may be busy with something else: the fastest of three counts.
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const startedMs = performance.now();
    const server = await startServerProcess(resources);
    assert.equal((await server.api('GET', '/api/provisioning/machines/')).status, 200);
    times.push(Math.round(performance.now() - startedMs));
    await server.kill();
  }
  context.diagnostic(`${times.join(', ')} ms`);
  assert.ok(Math.min(...times) < limitMs, `${times.join(', ')} ms`);
});
