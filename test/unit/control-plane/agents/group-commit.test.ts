import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { type CommitJob, GroupCommit } from '../../../../control-plane/agents/group-commit.ts';
import { silentLogger } from '../../../../core/base/logger.ts';

function database(): DatabaseSync {
  const db = new DatabaseSync(':memory:');
  db.exec('CREATE TABLE t (x TEXT NOT NULL)');
  return db;
}

const stored = (db: DatabaseSync): unknown[] =>
  db
    .prepare('SELECT x FROM t')
    .all()
    .map(({ x }) => x);

/** A job that writes its name, and notes what became of it. */
function job(db: DatabaseSync, name: string, fates: string[], overrides: Partial<CommitJob> = {}): CommitJob {
  return {
    sizeBytes: 1,
    apply: () => void db.prepare('INSERT INTO t VALUES (?)').run(name),
    committed: () => fates.push(`${name} committed`),
    failed: (error) => fates.push(`${name} failed: ${(error as Error).message}`),
    ...overrides,
  };
}

const limits = { pendingJobs: 5, pendingBytes: 100 };
const turn = async (): Promise<void> => await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

test('jobs of one turn are one transaction, in order, and hear of it after the commit', async () => {
  const db = database();
  const fates: string[] = [];
  const commits = new GroupCommit(db, silentLogger, limits);
  let wasInTransaction = false;
  commits.submit(job(db, 'a', fates));
  commits.submit(
    job(db, 'b', fates, {
      committed: () => {
        wasInTransaction = db.isTransaction;
        fates.push('b committed');
      },
    }),
  );
  assert.deepEqual(stored(db), []);
  await turn();
  assert.deepEqual(stored(db), ['a', 'b']);
  assert.deepEqual(fates, ['a committed', 'b committed']);
  assert.equal(wasInTransaction, false);
});

test('a job that throws is taken back alone; its second way out is tried', async () => {
  const db = database();
  const fates: string[] = [];
  const commits = new GroupCommit(db, silentLogger, limits);
  const failing = (name: string, recover?: () => void): CommitJob =>
    job(db, name, fates, {
      apply: () => {
        db.prepare('INSERT INTO t VALUES (?)').run(`${name} half`);
        throw new Error('a defect');
      },
      ...(recover === undefined ? {} : { recover }),
    });
  commits.submit(job(db, 'a', fates));
  commits.submit(failing('b'));
  commits.submit(failing('c', () => void db.prepare('INSERT INTO t VALUES (?)').run('c kept')));
  commits.submit(job(db, 'd', fates));
  await turn();
  assert.deepEqual(stored(db), ['a', 'c kept', 'd']);
  assert.deepEqual(fates, ['a committed', 'b failed: a defect', 'c committed', 'd committed']);
});

test('what the database itself refuses fails every job of the batch', async () => {
  const db = database();
  const fates: string[] = [];
  const commits = new GroupCommit(db, silentLogger, limits);
  const full = Object.assign(new Error('full'), { errcode: 13 });
  commits.submit(job(db, 'a', fates));
  commits.submit(
    job(db, 'b', fates, {
      apply: () => {
        throw new Error('wrapped', { cause: full });
      },
      recover: () => fates.push('never'),
    }),
  );
  await turn();
  assert.deepEqual(stored(db), []);
  assert.deepEqual(fates, ['a failed: wrapped', 'b failed: wrapped']);
});

test('a full queue is written at once, unless a transaction is open', async () => {
  const db = database();
  const fates: string[] = [];
  const commits = new GroupCommit(db, silentLogger, limits);
  for (let index = 0; index < 5; index += 1) commits.submit(job(db, String(index), fates));
  assert.equal(stored(db).length, 5);
  commits.submit(job(db, 'large', fates, { sizeBytes: 100 }));
  assert.equal(stored(db).length, 6);
  db.exec('BEGIN');
  for (let index = 0; index < 9; index += 1) commits.submit(job(db, `in ${index}`, fates));
  assert.equal(stored(db).length, 6);
  db.exec('ROLLBACK');
  await turn();
  assert.equal(stored(db).length, 15);
});

test('a job may submit another one, which is written by the next transaction; who throws afterwards harms nobody', async () => {
  const db = database();
  const fates: string[] = [];
  const commits = new GroupCommit(db, silentLogger, limits);
  commits.submit(
    job(db, 'a', fates, {
      apply: () => commits.submit(job(db, 'b', fates)),
      committed: () => {
        throw new Error('the socket is gone');
      },
    }),
  );
  await turn();
  await turn();
  assert.deepEqual(stored(db), ['b']);
  assert.deepEqual(fates, ['b committed']);
});

test('nothing is written once the database is closed', async () => {
  const db = database();
  const fates: string[] = [];
  const commits = new GroupCommit(db, silentLogger, limits);
  commits.submit(job(db, 'a', fates));
  db.close();
  await turn();
  assert.deepEqual(fates, []);
});
