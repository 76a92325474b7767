import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DiskFacts } from '../../../agent/disk/types.ts';
import { readDisk } from '../../../agent/hardware/read-disk.ts';
import { makeKeyPair } from '../../../agent/identity/make-identity.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { probeOf } from '../../../installer/production-parts.ts';
import { startInstaller } from '../../builders/installer-fixture.ts';
import { startTestServer } from '../../builders/server.ts';
import { Resources } from '../../resources.ts';

test('the identity on a disk that comes while the links come up is this machine’s', async () => {
  await using resources = new Resources();
  const identity = { machine_uuid: randomUUID(), ...makeKeyPair() };
  const file = resources.sparseFile(64 * 1024 * 1024);
  await runCommand('mkfs.ext4', ['-q', file]);
  {
    await using filling = new Resources();
    const root = await filling.mount(file, { options: 'loop' });
    mkdirSync(join(root, 'var/lib/durantic'), { recursive: true });
    writeFileSync(join(root, 'var/lib/durantic/identity.json'), JSON.stringify(identity));
  }
  const late = await readDisk(await resources.loop(file));

  const server = await startTestServer(resources);
  const { body } = await server.api<{ token: string }>('POST', '/api/provisioning/bootstrap-tokens/', {});
  const disks: DiskFacts[] = [];
  const linkIsUp = Promise.withResolvers<void>();
  const installer = await startInstaller(resources, {
    commandLine: `durantic.server=${server.url} durantic.pin=${server.pin} durantic.token=${body.token}`,
    parts: {
      listDisks: async () => [...disks],
      probeOf: (...given) => {
        const probe = probeOf(...given);
        return async (route, signal) => {
          await linkIsUp.promise;
          await probe(route, signal);
        };
      },
    },
  });
  await installer.event('identity', ({ origin }) => origin === 'made');
  disks.push(late);
  linkIsUp.resolve();
  await installer.event('identity', ({ origin }) => origin === 'found');
  // This server does not know the machine: it enrols with the key that it has.
  await installer.event('enrolled');
  const kept = JSON.parse(readFileSync(join(installer.places.stateDir, 'identity.json'), 'utf8')) as typeof identity;
  assert.deepEqual(kept.public_key, identity.public_key);
});
