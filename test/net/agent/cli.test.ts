import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { Resources, waitFor } from '../../resources.ts';

const program = join(import.meta.dirname, '../../../cli/main.ts');

interface Run {
  readonly child: ChildProcess;
  /** Standard error and output so far. */
  readonly err: () => string;
  readonly out: () => string;
  /** Exit code. */
  readonly ended: Promise<number | null>;
}

function run(resources: Resources, args: readonly string[], env: Readonly<Record<string, string>> = {}): Run {
  const child = resources.spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  const text = { err: '', out: '' };
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text.err += chunk;
  });
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text.out += chunk;
  });
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, err: () => text.err, out: () => text.out, ended };
}

async function makeToken(server: TestServer): Promise<string> {
  const { body } = await server.api<{ token: string }>('POST', '/api/provisioning/bootstrap-tokens/', {});
  return body.token;
}

test('F27 enroll and agent as programs: the machine is online, survives kill -9, and no secret is in argv, log or output', {
  timeout: 90_000,
}, async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const dir = resources.tempDir();
  const [configFile, stateDir, runDir] = [join(dir, 'agent.yaml'), join(dir, 'state'), join(dir, 'run')];
  const token = await makeToken(server);
  const files = ['--config', configFile, '--state-dir', stateDir];
  const enroll = ['enroll', '--server', server.url, '--pin', server.pin, ...files];
  const byEnvironment = run(resources, enroll, { DURANTIC_TOKEN: token });
  const pid = byEnvironment.child.pid ?? 0;
  await waitFor('the program to start', () => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('enroll'));
  const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  assert.equal(await byEnvironment.ended, 0, byEnvironment.err());
  const uuid = byEnvironment.out().trim();
  assert.match(uuid, /^[0-9a-f-]{36}$/);

  const agentArgs = ['agent', ...files, '--run-dir', runDir];
  const first = run(resources, agentArgs);
  await waitFor('the link', () => first.err().includes('"connected"'), { timeoutMs: 30_000 });
  const { body: command } = await server.api('POST', `/api/provisioning/machines/${uuid}/commands/`, {
    kind: 'CollectLogs',
    args: { since: null },
  });
  const commandUuid = String(command['uuid']);
  const outcome = async (): Promise<string> => {
    const { body } = await server.api('GET', `/api/provisioning/machines/${uuid}/commands/${commandUuid}`);
    return String(body['status']);
  };
  await waitFor('the outcome', async () => (await outcome()) === 'done', { timeoutMs: 30_000 });
  first.child.kill('SIGKILL');
  await first.ended;
  const second = run(resources, agentArgs);
  await waitFor('the link again', () => second.err().includes('"connected"'), { timeoutMs: 30_000 });
  assert.equal(await outcome(), 'done');
  const before = performance.now();
  second.child.kill('SIGTERM');
  assert.equal(await second.ended, 0);
  const tookMs = performance.now() - before;
  assert.ok(tookMs < 1500, `the end took ${tookMs} ms`);

  const identity = JSON.parse(readFileSync(join(stateDir, 'identity.json'), 'utf8')) as { private_key: { d: string } };
  const said = [argv, byEnvironment.err(), byEnvironment.out(), first.err(), first.out(), second.err(), second.out()];
  for (const secret of [token, token.slice(0, 40), identity.private_key.d]) {
    assert.ok(!said.some((text) => text.includes(secret)));
  }
});

test('the token comes from a file or standard input too; without any it is asked for, and a refusal has its exit code', {
  timeout: 60_000,
}, async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const dir = resources.tempDir();
  const base = ['enroll', '--server', server.url, '--pin', server.pin, '--config', join(dir, 'agent.yaml')];
  const args = [...base, '--state-dir', join(dir, 'state')];
  const tokenFile = join(dir, 'token');
  writeFileSync(tokenFile, `${await makeToken(server)}\n`);
  const byFile = run(resources, [...args, '--token-file', tokenFile]);
  const other = ['--config', join(dir, 'other.yaml'), '--state-dir', join(dir, 'other')];
  const byInput = run(resources, [...base, ...other, '--token-file', '-']);
  byInput.child.stdin?.end(await makeToken(server));
  const none = run(resources, args, { DURANTIC_TOKEN: '' });
  const wrong = run(resources, args, { DURANTIC_TOKEN: 'wrong-token' });
  const path = run(resources, [...args, '--server', `${server.url}/path`]);
  const plain = run(resources, [...args, '--server', 'http://127.0.0.1:1', '--force'], { DURANTIC_TOKEN: 'x' });
  assert.equal(await byFile.ended, 0, byFile.err());
  assert.equal(await byInput.ended, 0, byInput.err());
  assert.notEqual(byFile.out(), byInput.out());
  assert.equal(await none.ended, 2);
  assert.match(none.err(), /there is no token.*\[usage\]/);
  assert.equal(await wrong.ended, 2);
  assert.match(wrong.err(), /does not accept the token.*\[token_refused\]/);
  assert.doesNotMatch(wrong.err(), /wrong-token/);
  assert.equal(await path.ended, 2);
  assert.match(path.err(), /scheme, host and port only.*\[usage\]/);
  assert.equal(await plain.ended, 2);
  assert.match(plain.err(), /plain HTTP.*--plain-http.*\[usage\]/);
});
