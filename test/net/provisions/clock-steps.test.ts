import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startInstallingRun } from '../../builders/installing-run.ts';
import { startProvisionServer } from '../../builders/provision-server.ts';
import { minuteMs } from '../../builders/run-inputs.ts';
import type { FakeClock } from '../../builders/server-context.ts';
import { Resources } from '../../resources.ts';

const dayMs = 24 * 60 * minuteMs;

for (const [name, happen] of [
  ['a clock that is set forward, or a server that was suspended', (clock: FakeClock) => clock.step(15 * minuteMs)],
  ['a server that was frozen', (clock: FakeClock) => clock.advance(15 * minuteMs)],
  ['a clock that is set back by a day', (clock: FakeClock) => clock.step(-dayMs)],
] as const) {
  test(`${name} ends no installation that goes on, and one that hangs all the same`, async () => {
    await using resources = new Resources();
    const { server, machine, uuid, run } = await startInstallingRun(resources);
    await machine.tell(uuid, { percent: 20 });
    await server.pass(10 * minuteMs);
    happen(server.clock);
    await server.service.tick();
    await server.pass(14 * minuteMs);
    assert.equal(run().status, 'in_progress');
    assert.deepEqual(
      machine.agent.all('command').map(({ kind }) => kind),
      ['ProvisionMachine'],
    );
    await server.pass(minuteMs);
    assert.equal(run().status, 'timeout');
    assert.equal((await machine.agent.next('command', 2)).kind, 'CancelProvision');
  });
}

test('a clock that is set back does not keep a queued run from its registry', async () => {
  await using resources = new Resources();
  const first = await startProvisionServer(resources);
  first.useImage('http://127.0.0.1:1/os/tiny:1');
  const machine = first.machine();
  const { provisionUuid } = first.service.queue(machine.uuid);
  await first.service.settled();
  const attempts = (server = first): unknown =>
    server.context.db.prepare('SELECT resolve_attempts FROM provisions WHERE uuid = ?').get(provisionUuid)?.[
      'resolve_attempts'
    ];
  assert.equal(attempts(), 1);
  first.clock.step(-dayMs);
  await first.service.tick();
  await first.pass(5 * minuteMs);
  await first.service.settled();
  assert.equal(attempts(), 2);
  // Nor where that happens while no server runs.
  await first.stop();
  first.clock.step(-dayMs);
  const next = await startProvisionServer(resources, { after: first });
  await next.pass(5 * minuteMs);
  await next.service.settled();
  assert.equal(attempts(next), 3);
});
