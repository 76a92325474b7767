import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type EnrolmentServer, enrolmentServer, factsOf, randomKey } from '../../builders/enrolment.ts';
import { Resources } from '../../resources.ts';

/** How long an agent takes from the answer to its socket. */
const dialMs = 150;

/** Connects a machine a moment after its enrolment was answered, as an agent does. */
async function enrolAndConnect(server: EnrolmentServer, token: string, key: string, index: number): Promise<string> {
  const uuid = await server.enrolled(token, key, factsOf(index));
  await new Promise((resolve) => setTimeout(resolve, dialMs));
  if (server.machine(uuid)['public_key'] === key) {
    server.hub.sockets.set(uuid, true);
    server.hub.seen.set(uuid, server.clock.now());
  }
  return uuid;
}

test('the same key twice at once is one machine', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const key = randomKey();
  const replies = await Promise.all(Array.from({ length: 8 }, () => server.enrol(token, key, factsOf(1))));
  assert.equal(new Set(replies.map(({ body }) => body['machine_uuid'])).size, 1);
  assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 200, 200, 200, 200, 200, 200, 201]);
  assert.equal(server.machineCount(), 1);
});

test('F24 clones that enrol at once are as many machines as keys, each with its own', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const keys = Array.from({ length: 4 }, randomKey);
  const uuids = await Promise.all(keys.map((key) => enrolAndConnect(server, token, key, 1)));
  assert.equal(new Set(uuids).size, keys.length);
  for (const [index, uuid] of uuids.entries()) {
    assert.equal(server.machine(uuid)['public_key'], keys[index]);
    assert.ok((server.duplicatesOf(uuid) as string[]).length > 0);
  }
});

test('two new keys for one silent machine: one gets it, the other a machine of its own, and neither is lost', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const old = await enrolAndConnect(server, token, randomKey(), 1);
  server.hub.sockets.set(old, false);
  server.clock.advance(60_000);
  // Both have asked the old socket before either hears that it is silent.
  const bothAsked = Promise.withResolvers<void>();
  let pings = 0;
  server.hub.onPing = async () => {
    pings += 1;
    if (pings === 2) bothAsked.resolve();
    await bothAsked.promise;
  };
  const keys = [randomKey(), randomKey()];
  const uuids = await Promise.all(keys.map((key) => enrolAndConnect(server, token, key, 1)));
  assert.equal(new Set(uuids).size, 2);
  assert.ok(uuids.includes(old));
  for (const [index, uuid] of uuids.entries()) assert.equal(server.machine(uuid)['public_key'], keys[index]);
});

test('a machine that is installed, deleted or comes back while it is asked is looked at again', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken();
  const meanwhile: ((uuid: string) => void)[] = [
    (uuid) => server.setInstalled(uuid),
    (uuid) => server.context.db.prepare('DELETE FROM machines WHERE uuid = ?').run(uuid),
    (uuid) => server.hub.seen.set(uuid, server.clock.now() + 1),
  ];
  for (const [index, change] of meanwhile.entries()) {
    const old = await enrolAndConnect(server, token, randomKey(), index);
    server.hub.sockets.set(old, false);
    server.clock.advance(60_000);
    server.hub.onPing = change;
    assert.notEqual(await server.enrolled(token, randomKey(), factsOf(index)), old, String(index));
  }
});

const series = 3;
const actions = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('enrol' as const), key: fc.nat(7), facts: fc.nat(series - 1) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('install' as const), machine: fc.nat(20) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), machine: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('connect' as const), machine: fc.nat(20) }) },
  ),
  { minLength: 1, maxLength: 40 },
);

test('no sequence of enrolments with cloned facts gives a key an installed machine that is another’s', async () => {
  const keys = Array.from({ length: 8 }, randomKey);
  await fc.assert(
    fc.asyncProperty(actions, async (list) => {
      await using resources = new Resources();
      const server = enrolmentServer(resources);
      const token = await server.makeToken('365d');
      /** Installed machine → the key that it had then. */
      const installed = new Map<string, string>();
      const all = (): string[] =>
        server.context.db
          .prepare('SELECT uuid FROM machines ORDER BY rowid')
          .all()
          .map((row) => String(row['uuid']));
      for (const action of list) {
        server.clock.advance(10_000);
        if (action.kind === 'enrol') {
          const key = keys[action.key] ?? '';
          const owner = server.context.db.prepare('SELECT uuid FROM machines WHERE public_key = ?').get(key)?.['uuid'];
          const answering = new Set([...server.hub.sockets].filter(([, answers]) => answers).map(([uuid]) => uuid));
          const uuid = await server.enrolled(token, key, factsOf(action.facts));
          if (owner !== undefined) assert.equal(uuid, owner, 'a key keeps its machine');
          if (owner === undefined) assert.ok(!answering.has(uuid), 'a machine that answers keeps its key');
          if (installed.has(uuid)) assert.equal(installed.get(uuid), key, 'an installed machine keeps its key');
          assert.equal(server.machine(uuid)['public_key'], key);
        } else {
          const uuid = all()[action.machine % Math.max(1, all().length)];
          if (uuid === undefined) continue;
          if (action.kind === 'install') {
            server.setInstalled(uuid);
            installed.set(uuid, String(server.machine(uuid)['public_key']));
          } else if (action.kind === 'cut') server.hub.sockets.delete(uuid);
          else server.hub.sockets.set(uuid, true);
        }
        for (const [uuid, key] of installed) assert.equal(server.machine(uuid)['public_key'], key);
      }
    }),
    { numRuns: 60 },
  );
});
