import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CollectLogsOptions, collectLogs, installedLogSources } from '../../../../agent/commands/collect-logs.ts';
import { Resources } from '../../../resources.ts';

/** Puts a journalctl of the test's making first in PATH; it writes its arguments to `arguments`. */
function fakeJournal(resources: Resources, script: string): string {
  const dir = resources.tempDir();
  const file = join(dir, 'journalctl');
  writeFileSync(file, `#!/bin/sh\nprintf '%s\\n' "$@" > ${dir}/arguments\n${script}\n`);
  chmodSync(file, 0o755);
  const before = process.env['PATH'];
  process.env['PATH'] = `${dir}:${before}`;
  resources.defer('restore PATH', () => {
    process.env['PATH'] = before;
  });
  return join(dir, 'arguments');
}

async function collect(
  options: Partial<CollectLogsOptions> & Pick<CollectLogsOptions, 'sources'>,
): Promise<string[][]> {
  const pieces: string[][] = [];
  const common = { since: null, signal: new AbortController().signal };
  for await (const piece of collectLogs({ ...common, ...options })) pieces.push(piece);
  return pieces;
}

const u = { name: 'u', select: ['--unit', 'u'] };

test('the journal of the unit and the files come with their names, oldest line first', async () => {
  await using resources = new Resources();
  const argumentsFile = fakeJournal(resources, "printf 'newest\\nmiddle\\noldest\\n'");
  const file = join(resources.tempDir(), 'cloud-init.log');
  writeFileSync(file, 'one\ntwo\n');
  const missing = `${file}.missing`;
  const pieces = await collect({
    sources: { journal: [{ name: 'the agent', select: ['--unit', 'durantic-agent.service'] }], files: [file, missing] },
    since: '2026-11-20T00:00:00Z',
  });
  assert.deepEqual(pieces, [
    ['== journal of the agent', 'oldest', 'middle', 'newest'],
    [`== ${file}`, 'one', 'two'],
    [`== ${missing}`, '(does not exist)'],
  ]);
  const { readFileSync } = await import('node:fs');
  assert.match(readFileSync(argumentsFile, 'utf8'), /^--unit\ndurantic-agent\.service\n[\s\S]*--since=@1795132800\n$/);
});

test('only the newest bytes are taken, in pieces of at most 256 KiB', async () => {
  await using resources = new Resources();
  // Without end: the reading has to stop by itself.
  fakeJournal(resources, 'yes "$(printf %0200d 7)"');
  const file = join(resources.tempDir(), 'big.log');
  const lines = Array.from({ length: 30_000 }, (_, index) => `line ${index} ${'x'.repeat(40)}`);
  writeFileSync(file, `${lines.join('\n')}\n`);
  const pieces = await collect({ sources: { journal: [u], files: [file] } });
  for (const piece of pieces) assert.ok(Buffer.byteLength(JSON.stringify(piece)) <= 256 * 1024);
  const all = pieces.flat();
  const ofFile = all.slice(all.indexOf(`== ${file}`) + 1);
  assert.equal(ofFile.at(-1), lines.at(-1));
  assert.equal(ofFile[0], lines.at(-ofFile.length), 'the first line is a whole one');
  assert.ok(ofFile.join('\n').length <= 1024 * 1024 && ofFile.join('\n').length > 900_000);
  assert.ok(all.indexOf(`== ${file}`) > 4000);
});

test('a source that cannot be read says so in its place; a file that is older than asked for is left out', async () => {
  await using resources = new Resources();
  fakeJournal(resources, 'echo no journal here >&2; exit 1');
  const dir = resources.tempDir();
  const old = join(dir, 'old.log');
  writeFileSync(old, 'old\n');
  utimesSync(old, new Date('2026-01-01'), new Date('2026-01-01'));
  mkdirSync(join(dir, 'folder'));
  const pieces = await collect({
    sources: { journal: [u], files: [old, join(dir, 'folder')] },
    since: '2026-11-20T00:00:00Z',
  });
  assert.match(pieces[0]?.[1] ?? '', /^\(not to be read: journalctl exited with 1 \(no journal here\)\)$/);
  assert.deepEqual(pieces[1], [`== ${old}`]);
  assert.match(pieces[2]?.[1] ?? '', /^\(not to be read: .*folder cannot be read: EISDIR/);
});

test('F27 what the kernel was started with is told without its token', async () => {
  const script = 'echo "[    0.000000] Command line: durantic.server=https://a:1 durantic.token=secret quiet"';
  await using resources = new Resources();
  const file = join(resources.tempDir(), 'dmesg');
  writeFileSync(file, script);
  const [piece] = await collect({ sources: { files: [], programs: [['sh', file]] } });
  assert.deepEqual(piece, [
    `== sh ${file}`,
    '[    0.000000] Command line: durantic.server=https://a:1 durantic.token=(hidden) quiet',
  ]);
});

test('an installed system tells of agent, cloud-init and kernel, and what it sends is bounded', async () => {
  await using resources = new Resources();
  // The journal of a machine that never stops complaining.
  const argumentsFile = fakeJournal(resources, 'echo "$1" >>"$0.selected"; yes "$(printf %0400d 7)"');
  const pieces = await collect({ sources: installedLogSources });
  const lines = pieces.flat();
  assert.deepEqual(
    lines.filter((line) => line.startsWith('== ')),
    [
      '== journal of durantic-agent.service',
      '== journal of the kernel',
      '== /var/log/cloud-init.log',
      '== /var/log/cloud-init-output.log',
    ],
  );
  const { readFileSync } = await import('node:fs');
  const selected = readFileSync(argumentsFile.replace(/arguments$/, 'journalctl.selected'), 'utf8');
  assert.equal(selected, '--unit\n_TRANSPORT=kernel\n');
  const sizeBytes = Buffer.byteLength(lines.join('\n'));
  assert.ok(sizeBytes > 1.9 * 1024 ** 2 && sizeBytes < 4 * 1024 ** 2 + 10_000, `${sizeBytes} bytes`);
});
