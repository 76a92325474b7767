import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { runKillSweep } from '../builders/kill-sweep.ts';
import { Resources } from '../resources.ts';

const kills = 200;

test(`after ${kills} kills at random points of concurrent writes nothing that was answered is missing`, async (context) => {
  await using resources = new Resources();
  const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31));
  context.diagnostic(`seed ${seed}`);
  const { answered, unanswered } = await runKillSweep(resources, { kills, seed });
  context.diagnostic(`${answered} writes answered, ${unanswered} cut off`);
  assert.ok(answered > kills && unanswered > kills, 'the kills did not meet writes');
});
