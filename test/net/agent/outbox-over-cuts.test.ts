import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Report } from '../../../agent/link/outbox-frames.ts';
import { newIdentity, type RunningAgent, startAgent } from '../../builders/agent-fixture.ts';
import { startTestServer } from '../../builders/server.ts';
import { insertTestMachine } from '../../builders/test-agent.ts';
import { startFlakySocket } from '../../fakes/flaky-socket.ts';
import { ScriptedServer } from '../../fakes/scripted-server.ts';
import { Resources, waitFor } from '../../resources.ts';

const logOf = (number: number): Report => ({ type: 'log', command_uuid: null, lines: [`line ${number}`] });
const resultOf = (uuid: string, number: number): Report => ({
  type: 'cloud_init_result',
  provision_uuid: uuid,
  status: 'error',
  errors: [`${number}`],
});

type Step = { readonly kind: 'report'; readonly count: number } | { readonly kind: 'cut' | 'kill' | 'reboot' };

const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('report' as const), count: fc.integer({ min: 1, max: 40 }) }),
    },
    { weight: 2, arbitrary: fc.constant<Step>({ kind: 'cut' }) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: 'kill' }) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: 'reboot' }) },
  ),
  { minLength: 2, maxLength: 12 },
);

test('over random cuts, kills and reboots the server gets every report once and in order', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.infiniteStream(fc.integer({ min: 1, max: 12_000 })), async (script, cuts) => {
      await using resources = new Resources();
      const server = await ScriptedServer.start(resources);
      const relay = await startFlakySocket(resources, Number(new URL(server.origin).port));
      server.dialledOrigin = `http://${relay.host}`;
      relay.cutAfter(() => cuts.next().value);
      const identity = newIdentity();
      server.knows(identity.machine_uuid, identity.public_key.x);
      const config = { server: server.dialledOrigin, plain_http: true };
      const stateDir = join(resources.tempDir(), 'state');
      let boot = 0;
      const start = async (): Promise<RunningAgent> =>
        await startAgent(resources, { config, identity, stateDir, bootId: `boot-${boot}` });
      let agent = await start();
      const expected: string[] = [];
      for (const step of script) {
        if (step.kind === 'report') {
          for (let index = 0; index < step.count; index += 1) {
            expected.push(`line ${expected.length}`);
            agent.context.report(logOf(expected.length - 1));
          }
        } else if (step.kind === 'cut') relay.cut();
        else {
          // Nothing is flushed or said: what the next one has is what the files hold.
          if (step.kind === 'reboot') boot += 1;
          await agent.stop();
          agent = await start();
        }
      }
      relay.cutAfter(null);
      relay.cut();
      assert.equal(await agent.context.flush(20_000), true, 'not everything was acknowledged');
      const lines = server.storedOf('log').flatMap((frame) => frame.lines);
      assert.deepEqual(lines, expected);
      assert.deepEqual(server.conflicts, []);
      await agent.stop();
    }),
    { numRuns: 25, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: false },
  );
});

test('the real server is started again, on its port and data, and has every report once', {
  timeout: 60_000,
}, async () => {
  await using resources = new Resources();
  const dataDir = join(resources.tempDir(), 'data');
  let server = await startTestServer(resources, { settings: { dataDir } });
  const { url, port, pin, adminToken } = server;
  const identity = newIdentity();
  insertTestMachine(server.context, {
    machineUuid: identity.machine_uuid,
    publicKey: identity.public_key.x,
    privateKey: (await import('node:crypto')).generateKeyPairSync('ed25519').privateKey,
  });
  const stateDir = join(resources.tempDir(), 'state');
  const agent = await startAgent(resources, { config: { server: url, pin }, identity, stateDir, bootId: randomUUID() });
  await agent.event('connected');
  for (let number = 0; number < 50; number += 1) agent.context.report(logOf(number));
  await server.close();
  const lost = await agent.event('disconnected');
  assert.equal(lost.code, 'link_lost');
  assert.equal(lost.isNew, true);
  for (let number = 50; number < 100; number += 1) agent.context.report(logOf(number));
  agent.context.report(resultOf(randomUUID(), 1));
  server = await startTestServer(resources, { settings: { dataDir, listen: { host: '127.0.0.1', port } }, adminToken });
  await agent.event('connected', 2);
  assert.equal(await agent.context.flush(20_000), true);
  const rows = server.context.db.prepare('SELECT lines FROM agent_logs ORDER BY id').all();
  const lines = rows.flatMap((row) => JSON.parse(String(row['lines'])) as string[]);
  assert.deepEqual(
    lines,
    Array.from({ length: 100 }, (_, number) => `line ${number}`),
  );
});

test('an outbox that is full while the server is gone loses progress only', async () => {
  await using resources = new Resources();
  const { Outbox } = await import('../../../agent/link/outbox.ts');
  const server = await ScriptedServer.start(resources);
  const relay = await startFlakySocket(resources, Number(new URL(server.origin).port));
  server.dialledOrigin = `http://${relay.host}`;
  relay.cutAfter(() => 0);
  const identity = newIdentity();
  server.knows(identity.machine_uuid, identity.public_key.x);
  const outbox = new Outbox({ bootId: 'b', mostFrames: 20 });
  const config = { server: server.dialledOrigin, plain_http: true };
  const agent = await startAgent(resources, { config, identity, outbox });
  await waitFor('some attempts', () => relay.connections() > 2);
  const uuid = randomUUID();
  for (let number = 0; number < 200; number += 1) {
    agent.context.report(number % 20 === 0 ? resultOf(uuid, number) : logOf(number));
  }
  assert.equal(outbox.size, 20);
  relay.cutAfter(null);
  assert.equal(await agent.context.flush(20_000), true);
  const outcomes = server.storedOf('cloud_init_result').map(({ errors }) => Number(errors[0]));
  assert.deepEqual(
    outcomes,
    Array.from({ length: 10 }, (_, index) => index * 20),
  );
  assert.equal(server.storedOf('log').length, 10);
});
