import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { clientGuard, runClient } from '../../../../installer/network/client-hook.ts';
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

test('a client that does not hear is ended also when the signal comes before anything waits for it', async () => {
  await using resources = new Resources();
  const file = join(resources.tempDir(), 'pid');
  const client = ['sh', '-c', `trap '' TERM; echo $$ >${file}; exec sleep 60`];
  // Half a second between the start of the client and whatever its shell does next.
  const slow = ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=clone', '-e', 'inject=clone:delay_exit=500000:when=1'];
  const tracer = resources.spawn('strace', [...slow, 'sh', '-c', clientGuard, 'guard', ...client]);
  const ended = once(tracer, 'exit');
  const pid = Number(await waitFor('the client', () => existsSync(file) && readFileSync(file, 'utf8').trim()));
  resources.defer('end the client', () => void (existsSync(`/proc/${pid}`) && process.kill(pid, 'SIGKILL')));
  const shell = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  const startedMs = performance.now();
  process.kill(shell, 'SIGTERM');
  await waitFor('the shell to end', () => !existsSync(`/proc/${shell}`), { timeoutMs: 10_000 });
  assert.ok(performance.now() - startedMs < 4500, 'it is killed before its shell would be');
  assert.ok(!existsSync(`/proc/${pid}`), 'it goes on');
  await ended;
});
