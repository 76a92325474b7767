import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { openDatabase } from '../../../../control-plane/store/open-database.ts';
import { migrations } from '../../../../control-plane/store/schema.ts';
import { Resources } from '../../../resources.ts';

test('a database of the first version keeps its machines, which have dialled nothing yet', async () => {
  await using resources = new Resources();
  const file = join(resources.tempDir(), 'server.db');
  const old = new DatabaseSync(file);
  old.exec(`${migrations[0]}; PRAGMA user_version = 1;
    INSERT INTO accounts (uuid, name, created_at) VALUES ('a', 'a', '2026-01-01T00:00:00Z');
    INSERT INTO machines (uuid, account_uuid, hostname, facts, created_at, updated_at)
      VALUES ('m', 'a', 'node-7', '{}', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z');`);
  old.close();
  // The second time there is nothing left to do.
  for (const _ of [1, 2]) {
    const db = openDatabase(file);
    const machine = db.prepare('SELECT hostname, dialled_url FROM machines').get();
    const version = db.prepare('PRAGMA user_version').get();
    db.close();
    assert.deepEqual([machine?.['hostname'], machine?.['dialled_url']], ['node-7', null]);
    assert.equal(version?.['user_version'], migrations.length);
  }
});
