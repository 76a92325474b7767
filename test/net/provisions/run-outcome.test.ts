import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { listProvisions } from '../../../control-plane/provisions/describe-provision.ts';
import { deed, RunWorld } from '../../builders/run-world.ts';
import { Resources } from '../../resources.ts';

test('any deeds in any order, with repetitions and restarts: each run ends in exactly one outcome', {
  timeout: 120_000,
}, async () => {
  const seen = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { minLength: 5, maxLength: 60 }), async (deeds) => {
      await using resources = new Resources();
      const world = new RunWorld(resources);
      const endedAs = new Map<string, unknown>();
      await world.do({ do: 'queue' });
      for (const each of deeds) {
        await world.do(each);
        for (const run of listProvisions(world.context, world.machineUuid)) {
          if (endedAs.has(run.uuid)) assert.deepEqual(run, endedAs.get(run.uuid), 'an ended run changed');
          else if (run.is_terminal) endedAs.set(run.uuid, run);
        }
      }
      await world.silence();
      world.check();
      for (const run of listProvisions(world.context, world.machineUuid)) {
        seen.set(run.status, (seen.get(run.status) ?? 0) + 1);
      }
      await world.service.close();
    }),
    { numRuns: 150 },
  );
  for (const status of ['completed', 'error', 'timeout', 'canceled', 'degraded']) {
    assert.ok(
      (seen.get(status) ?? 0) > 0,
      `no run ended as ${status}: the deeds are too tame (${JSON.stringify([...seen])})`,
    );
  }
});
