import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { ServiceManager } from '../../../agent/installed/service-manager.ts';
import { native } from '../../../agent/native/load-native.ts';
import { startNotifySocket } from '../../builders/notify-socket.ts';
import { startTestServer } from '../../builders/server.ts';
import { Resources, waitFor } from '../../resources.ts';

const program = join(import.meta.dirname, '../../../cli/main.ts');

test('a datagram comes whole to a path and to an abstract name, from this very process', async () => {
  await using resources = new Resources();
  // 107 characters behind the @ fill the whole field of the address.
  const name = `@durantic-test-${randomUUID()}-`.padEnd(108, 'x');
  for (const address of [undefined, name]) {
    const socket = await startNotifySocket(resources, address);
    native.unixDatagramSend(socket.address, Buffer.from('STATUS=größer\nREADY=1'));
    const { pid, text } = await socket.message('READY=1');
    assert.deepEqual([pid, text], [process.pid, 'STATUS=größer\nREADY=1']);
  }
});

const badAddresses: readonly (readonly [string, string])[] = [
  ['/nonexistent/socket', 'ENOENT'],
  ['@durantic-test-nobody', 'ECONNREFUSED'],
  ['relative', 'EINVAL'],
  ['vsock:2:1', 'EINVAL'],
  [`/${'x'.repeat(107)}`, 'ENAMETOOLONG'],
  [`@${'x'.repeat(108)}`, 'ENAMETOOLONG'],
];
for (const [address, code] of badAddresses) {
  test(`nobody takes what is sent to ${address.slice(0, 24)}: ${code}`, () => {
    assert.throws(() => native.unixDatagramSend(address, Buffer.from('READY=1')), { code });
  });
}

test('a receiver that reads nothing never makes the sender wait', async () => {
  await using resources = new Resources();
  const socket = await startNotifySocket(resources);
  socket.receiver.kill('SIGSTOP');
  const fill = (): void => {
    for (let count = 0; count < 100_000; count += 1) native.unixDatagramSend(socket.address, Buffer.alloc(1024));
  };
  assert.throws(fill, { code: 'EAGAIN' });
  socket.receiver.kill('SIGKILL');
});

function managerOf(resources: Resources, env: Record<string, string | undefined>, problems: string[] = []) {
  const manager = new ServiceManager({ env, onProblem: (message) => problems.push(message), retryMs: 20 });
  resources.defer('stop', () => manager[Symbol.dispose]());
  return manager;
}

test('a stalled event loop gives no sign of life, and one that turns gives two in each period', async () => {
  await using resources = new Resources();
  const socket = await startNotifySocket(resources);
  const env = { NOTIFY_SOCKET: socket.address, WATCHDOG_USEC: '100000', WATCHDOG_PID: `${process.pid}` };
  managerOf(resources, env).ready();
  const signs = () => socket.messages.filter(({ text }) => text === 'WATCHDOG=1');
  await waitFor('ten signs', () => signs().length >= 10);
  const [first] = signs();
  const tenth = signs()[9];
  assert.ok(first !== undefined && tenth !== undefined);
  const averageMs = (tenth.atMs - first.atMs) / 9;
  assert.ok(averageMs > 40 && averageMs < 100, `a sign every ${averageMs} ms`);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  const count = signs().length;
  await waitFor('signs after the stall', () => signs().length > count + 2);
  const gaps = signs().map(({ atMs }, index, all) => atMs - (all[index - 1]?.atMs ?? atMs));
  assert.ok(Math.max(...gaps) > 900, `the longest silence was ${Math.max(...gaps)} ms`);
});

test('the variables are taken out of the environment; a watchdog of another process is not fed', async () => {
  await using resources = new Resources();
  const socket = await startNotifySocket(resources);
  const env = { NOTIFY_SOCKET: socket.address, WATCHDOG_USEC: '20000', WATCHDOG_PID: '1', HOME: '/root' };
  const manager = managerOf(resources, env);
  assert.deepEqual(env, { HOME: '/root' });
  manager.ready();
  await socket.message('READY=1');
  const before = performance.now();
  await waitFor('ten periods', () => performance.now() - before > 200);
  manager.status('two\nlines');
  await socket.message('STATUS=two lines');
  manager.stopping();
  await socket.message('STOPPING=1');
  assert.deepEqual(
    socket.messages.map(({ text }) => text),
    ['READY=1', 'STATUS=two lines', 'STOPPING=1'],
  );
});

test('what nobody takes is told once and sent again when somebody does, the newest state of each', async () => {
  await using resources = new Resources();
  const address = join(resources.tempDir(), 'later');
  const problems: string[] = [];
  const manager = managerOf(resources, { NOTIFY_SOCKET: address }, problems);
  manager.ready();
  manager.status('first');
  manager.status('second');
  const socket = await startNotifySocket(resources, address);
  const { text } = await socket.message('READY=1');
  assert.deepEqual(text.split('\n').sort(), ['READY=1', 'STATUS=second']);
  assert.deepEqual(problems, ['systemd cannot be told how the agent is: ENOENT']);
});

test('without NOTIFY_SOCKET nothing happens', async () => {
  await using resources = new Resources();
  const problems: string[] = [];
  const manager = managerOf(resources, { WATCHDOG_USEC: '1000' }, problems);
  manager.ready();
  manager.status('unheard');
  manager.stopping();
  assert.deepEqual(problems, []);
});

test('durantic agent is ready without enrolment or server, says how it is, feeds its watchdog and says that it stops', {
  timeout: 90_000,
}, async () => {
  await using resources = new Resources();
  const socket = await startNotifySocket(resources, `@durantic-test-${randomUUID()}`);
  const dir = resources.tempDir();
  const [configFile, stateDir] = [join(dir, 'agent.yaml'), join(dir, 'state')];
  const files = ['--config', configFile, '--state-dir', stateDir];
  const run = (args: readonly string[], env: Readonly<Record<string, string>>) =>
    resources.spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...args], {
      env: { ...process.env, ...env },
    });
  const agent = run(['agent', ...files, '--run-dir', join(dir, 'run')], {
    NOTIFY_SOCKET: socket.address,
    WATCHDOG_USEC: '500000',
  });
  const ready = await socket.message('READY=1', 30_000);
  assert.equal(ready.pid, agent.pid);
  const { text } = await socket.message(/^STATUS=not enrolled/);
  assert.ok(text.includes(configFile) && text.includes(join(stateDir, 'identity.json')), text);
  await socket.message('WATCHDOG=1');
  const server = await startTestServer(resources);
  const { body } = await server.api<{ token: string }>('POST', '/api/provisioning/bootstrap-tokens/', {});
  const enrol = run(['enroll', '--server', server.url, '--pin', server.pin, ...files], { DURANTIC_TOKEN: body.token });
  assert.deepEqual(await once(enrol, 'close'), [0, null]);
  const connected = await socket.message(/^STATUS=connected to /, 30_000);
  assert.match(connected.text, new RegExp(`^STATUS=connected to ${server.url} as machine [0-9a-f-]{36}$`));
  await server.close();
  await socket.message(/^STATUS=not connected, and trying again: .*127\.0\.0\.1/, 30_000);
  agent.kill('SIGTERM');
  assert.deepEqual(await once(agent, 'close'), [0, null]);
  await socket.message('STOPPING=1');
});
