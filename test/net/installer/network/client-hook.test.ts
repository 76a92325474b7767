import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { runClient } from '../../../../installer/network/client-hook.ts';
import { Resources, waitFor } from '../../../resources.ts';

/** Starts a client that writes its process id to a file and then is what `then` makes it; ended by `end`. */
async function start(resources: Resources, then: string) {
  const file = join(resources.tempDir(), 'pid');
  const ending = new AbortController();
  const run = async (): Promise<string> => {
    try {
      for await (const _facts of runClient(['sh', '-c', `echo $$ >${file}; ${then}`], ending.signal));
      return 'ended by itself';
    } catch (error) {
      return error instanceof ProvisionError ? error.code : String(error);
    }
  };
  const result = run();
  const pid = await waitFor('the client', () => {
    const text = readFileSync(file, { encoding: 'utf8', flag: 'a+' });
    return text.endsWith('\n') ? text.trim() : undefined;
  });
  const isThere = (): boolean => {
    try {
      return process.kill(Number(pid), 0);
    } catch {
      return false;
    }
  };
  resources.defer('end the client', () => void (isThere() && process.kill(Number(pid), 'SIGKILL')));
  const end = async (): Promise<number> => {
    const startedMs = performance.now();
    ending.abort();
    assert.equal(await result, 'aborted');
    return performance.now() - startedMs;
  };
  return { isThere, end, result };
}

test('a client that ends when it is told to does so at once, also where it does not hear that', async () => {
  await using resources = new Resources();
  const client = await start(resources, 'exec sleep 60');
  const tookMs = await client.end();
  assert.ok(!client.isThere() && tookMs < 1800, `${tookMs} ms`);
  const deaf = await start(resources, "trap '' TERM; exec sleep 60");
  const tookDeafMs = await deaf.end();
  assert.ok(!deaf.isThere(), 'it goes on, and its link waits for it for ever');
  assert.ok(tookDeafMs > 1000 && tookDeafMs < 4800, `${tookDeafMs} ms`);
});

test('a client that ends by itself ends the wait, with its exit code as the reason', async () => {
  await using resources = new Resources();
  const client = await start(resources, 'exit 3');
  assert.equal(await client.result, 'tool_failed');
});

test('helpers that a client forgets end with it: they hold the pipe that is read to its end', async () => {
  await using resources = new Resources();
  const client = await start(resources, "sh -c 'sleep 60 & wait' & trap 'exit 0' TERM; wait");
  const tookMs = await client.end();
  assert.ok(tookMs < 1800, `${tookMs} ms`);
});
