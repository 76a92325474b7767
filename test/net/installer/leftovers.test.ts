import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startInstaller } from '../../builders/installer-fixture.ts';
import { startTestServer } from '../../builders/server.ts';
import { Resources, waitFor } from '../../resources.ts';

test('F61 what a killed installer has left is gone before the machine enrols; supervision does not wait for it', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const { body } = await server.api<{ token: string }>('POST', '/api/provisioning/bootstrap-tokens/', {});
  const supervised = Promise.withResolvers<void>();
  const cleared = Promise.withResolvers<void>();
  let looks = 0;
  const installer = await startInstaller(resources, {
    commandLine: `durantic.server=${server.url} durantic.pin=${server.pin} durantic.token=${body.token}`,
    parts: {
      removeLeftovers: async (say) => {
        await cleared.promise;
        say('it was removed');
      },
      supervise: async () => supervised.resolve(),
      listDisks: async () => {
        looks += 1;
        return [];
      },
    },
  });
  await supervised.promise;
  // By then everything else has begun: without the wait it would have enrolled.
  await installer.event('server');
  await waitFor('the disks to be looked at again', () => looks >= 3, { timeoutMs: 30_000 });
  assert.ok(!installer.events.some(({ kind }) => kind === 'enrolling'));
  cleared.resolve();
  await installer.event('enrolled');
  const kinds = installer.events.map((event) => (event.kind === 'notice' ? event.text : event.kind));
  assert.ok(kinds.includes('it was removed'), kinds.join());
  assert.ok(kinds.indexOf('it was removed') < kinds.indexOf('enrolling'), kinds.join());
});
