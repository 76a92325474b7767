import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startInstaller } from '../../builders/installer-fixture.ts';
import { startTestServer } from '../../builders/server.ts';
import { FakeClock } from '../../builders/server-context.ts';
import { Resources, waitFor } from '../../resources.ts';

for (const [name, serverYear] of [
  ['1970 (the server is sixty years ahead)', '2036-01-01T00:00:00Z'],
  ['2035 (the server is twenty years behind)', '2006-01-01T00:00:00Z'],
] as const) {
  test(`F11 with the pin, a clock in ${name} is set to the server's before anything else`, async () => {
    await using resources = new Resources();
    const clock = new FakeClock(Date.parse(serverYear));
    const server = await startTestServer(resources, { clock });
    const times: Date[] = [];
    const installer = await startInstaller(resources, {
      commandLine: `durantic.server=${server.url} durantic.pin=${server.pin} durantic.token=never-sent`,
      // This machine's own clock is not a test's to change: what comes after it is shown in virtual machines.
      parts: { setClock: async (time) => void times.push(time) },
    });
    const { from, to } = await installer.event('clock_set');
    assert.equal(to, new Date(clock.now()).toISOString());
    assert.ok(Math.abs(Date.parse(from) - Date.now()) < 60_000);
    await waitFor('the clock to be set', () => times.length > 0);
    assert.equal(times[0]?.getTime(), clock.now());
    assert.ok(!installer.events.some(({ kind }) => kind === 'enrolling'), 'no token went out with a wrong clock');
  });
}
