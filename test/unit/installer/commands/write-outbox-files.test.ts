import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Outbox } from '../../../../agent/link/outbox.ts';
import { openOutbox } from '../../../../agent/link/outbox-folder.ts';
import type { Report } from '../../../../agent/link/outbox-frames.ts';
import { RootFiles } from '../../../../agent/rootfs/root-files.ts';
import { writeOutboxFiles } from '../../../../installer/commands/write-outbox-files.ts';
import { Resources } from '../../../resources.ts';

const log = (line: string): Report => ({ type: 'log', command_uuid: null, lines: [line] });
const onProblem = (error: Error): void => assert.fail(error);

test("what the installer hands over comes behind the system's own reports, once however often it leaves", async () => {
  await using resources = new Resources();
  const root = resources.tempDir();
  const dir = join(root, 'var/lib/durantic/outbox');
  mkdirSync(dir, { recursive: true });
  openOutbox({ dir, bootId: 'system-1', onProblem }).add(log('of the system'));
  const before = readFileSync(join(dir, '00000001.ndjson'), 'utf8');
  const installer = new Outbox({ bootId: 'installer' });
  installer.add(log('of the installer'));
  writeOutboxFiles(new RootFiles(root), installer);
  // It stayed after all, and leaves again.
  installer.add(log('of the installer, later'));
  writeOutboxFiles(new RootFiles(root), installer);
  assert.deepEqual(readdirSync(dir).sort(), ['00000001.ndjson', '00000002.ndjson']);
  assert.equal(readFileSync(join(dir, '00000001.ndjson'), 'utf8'), before);
  assert.equal(statSync(join(dir, '00000002.ndjson')).mode & 0o777, 0o600);
  const outbox = openOutbox({ dir, bootId: 'system-2', onProblem });
  const lines = [...outbox.unsent(Symbol('none'))].map(({ frame }) => frame.type === 'log' && frame.lines[0]);
  assert.deepEqual(lines, ['of the system', 'of the installer', 'of the installer, later']);
  assert.equal(outbox.size, 3);
});

test('a new system without an outbox gets one', async () => {
  await using resources = new Resources();
  const root = resources.tempDir();
  const installer = new Outbox({ bootId: 'installer' });
  installer.add(log('a line'));
  writeOutboxFiles(new RootFiles(root), installer);
  const dir = join(root, 'var/lib/durantic/outbox');
  assert.deepEqual(readdirSync(dir), ['00000001.ndjson']);
  assert.equal(statSync(dir).mode & 0o777, 0o700);
});
