import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { dataFiles } from '../../control-plane/server/data-files.ts';
import { Sealer } from '../../control-plane/store/sealer.ts';
import type { Resources } from '../resources.ts';
import { RestWriter } from './rest-writer.ts';
import { seededRandom } from './seeded-random.ts';
import { startServerProcess } from './server-process.ts';

export interface KillSweepOptions {
  readonly kills: number;
  readonly seed: number;
}

export interface KillSweepResult {
  readonly answered: number;
  readonly unanswered: number;
}

const writers = 8;
const longestWritingMs = 250;

/**
 * Kills a server with SIGKILL at random points of concurrent writes, again and again on the same data, and compares
 * after each: everything that was answered 2xx is there, the database is whole, sealed values can be read.
 * @throws AssertionError naming the seed.
 */
export async function runKillSweep(resources: Resources, { kills, seed }: KillSweepOptions): Promise<KillSweepResult> {
  const random = seededRandom(seed);
  const server = await startServerProcess(resources, { args: ['--log-level', 'error'] });
  const all = Array.from({ length: writers }, (_, number) => new RestWriter(server, random, number));
  for (let kill = 1; kill <= kills; kill += 1) {
    try {
      const writing = all.map((writer) => writer.writeUntilCut());
      const delayMs = random() * longestWritingMs;
      await Promise.race([new Promise((resolve) => setTimeout(resolve, delayMs)), Promise.all(writing)]);
      assert.deepEqual(await server.kill('SIGKILL'), { code: null, signal: 'SIGKILL' });
      await Promise.all(writing);
      checkDatabase(server.dataDir);
      await server.start();
      for (const writer of all) await writer.verify();
    } catch (cause) {
      throw new Error(`seed ${seed}, kill ${kill}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
  }
  return {
    answered: all.reduce((sum, { answered }) => sum + answered, 0),
    unanswered: all.reduce((sum, { unanswered }) => sum + unanswered, 0),
  };
}

function checkDatabase(dataDir: string): void {
  const { database, secretsKey } = dataFiles(dataDir);
  using db = new DatabaseSync(database);
  assert.deepEqual(db.prepare('PRAGMA integrity_check').all().map(Object.values), [['ok']]);
  assert.deepEqual(db.prepare('PRAGMA foreign_key_check').all(), []);
  const sealer = new Sealer(readFileSync(secretsKey));
  for (const row of db.prepare('SELECT uuid, description, value_sealed FROM secrets').all()) {
    const sealed = row['value_sealed'];
    assert.ok(sealed instanceof Uint8Array);
    assert.equal(sealer.open(sealed, `secrets/${row['uuid']}/value`), `sealed ${row['description']}`);
  }
}
