import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeTree } from '../../builders/rootfs-tree.ts';
import { Resources, waitFor } from '../../resources.ts';

const program = join(import.meta.dirname, '../../../cli/main.ts');
const key = 'A'.repeat(43);
const jwk = { kty: 'OKP', crv: 'Ed25519', x: key };
const identity = JSON.stringify({
  machine_uuid: '11111111-2222-4333-8444-555555555555',
  public_key: jwk,
  private_key: { ...jwk, d: key },
});

interface Agent {
  readonly child: ChildProcess;
  readonly exited: Promise<readonly unknown[]>;
  /** Everything on stderr so far. */
  readonly log: () => string;
}

function startAgent(resources: Resources, dir: string): Agent {
  const flags = [
    '--config',
    join(dir, 'etc/durantic/agent.yaml'),
    '--state-dir',
    join(dir, 'var/lib/durantic'),
    '--run-dir',
    join(dir, 'run'),
  ];
  const child = resources.spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', program, 'agent', ...flags],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return { child, exited: once(child, 'exit'), log: () => text };
}

const count = (text: string, what: string): number => text.split(what).length - 1;

test('the daemon says once that it is not enrolled, notices the files, says once that there is no server, and ends within a second', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const { child, exited, log } = startAgent(resources, dir);
  const deadline = { timeoutMs: 20_000 };
  await waitFor('the agent to say that it is not enrolled', () => log().includes('not enrolled'), deadline);
  assert.match(log(), /not enrolled: waiting for .*agent\.yaml and .*identity\.json/);
  writeTree(dir, {
    'var/lib/durantic/identity.json': identity,
    'etc/durantic/agent.yaml': 'server: https://127.0.0.1:1\n',
  });
  await waitFor('the agent to notice both files', () => log().includes('"server_unreachable"'), deadline);
  assert.equal(count(log(), '"not_enrolled"'), 1);
  assert.equal(count(log(), '"server_unreachable"'), 1);
  assert.equal(log().includes(key), false);
  assert.equal(statSync(join(dir, 'run')).mode & 0o777, 0o700);
  assert.equal(child.exitCode, null);
  const before = performance.now();
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
  const tookMs = performance.now() - before;
  assert.ok(tookMs < 1000, `it took ${tookMs} ms`);
});

test('a second daemon is refused, and may start when the first was killed', { timeout: 60_000 }, async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const first = startAgent(resources, dir);
  await waitFor('the first agent', () => first.log().includes('not enrolled'), { timeoutMs: 20_000 });
  const second = startAgent(resources, dir);
  assert.deepEqual(await second.exited, [3, null]);
  assert.match(second.log(), /another agent runs on this machine.*\[already_running\]/);
  first.child.kill('SIGKILL');
  await first.exited;
  const third = startAgent(resources, dir);
  await waitFor('the third agent', () => third.log().includes('not enrolled'), { timeoutMs: 20_000 });
});
