import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { binary, parseEvents, runBinary } from '../../builders/provision.ts';
import { Resources } from '../../resources.ts';
import { type BadInput, badInputs } from './bad-input-cases.ts';
import { type BadInputs, makeBadInputs } from './bad-input-fixture.ts';

const resources = new Resources();
let at: BadInputs;
let sums: readonly string[];

before(async () => {
  at = await makeBadInputs(resources);
  sums = await sumsOfDisks();
});
after(() => resources[Symbol.asyncDispose]());

describe('bad input: one clear sentence, the right exit code, an untouched disk', { concurrency: 3 }, () => {
  for (const one of badInputs) {
    test(one.name, async (context) => {
      const before = identityOfDisks();
      const args = ['provision', ...one.args(at)];
      const timeoutMs = (one.withinSeconds ?? 20) * 1000;
      const file = one.withoutBundle ? { file: await copyWithoutBundle() } : {};
      const [told, asJson] = await Promise.all([
        runBinary(args, { timeoutMs, ...file }),
        runBinary([...args, '--json'], { timeoutMs, ...file }),
      ]);
      if (one.withinSeconds !== undefined) context.diagnostic(`over after ${told.seconds.toFixed(1)} s`);
      assert.equal(told.exitCode, one.exitCode, told.stderr);
      assertOneSentence(told.stderr, one);
      assert.equal(told.stdout, '');
      assert.equal(asJson.exitCode, one.exitCode);
      assert.equal(asJson.stderr, '', 'with --json everything is said on stdout');
      const last = parseEvents(asJson.stdout, asJson.exitCode).at(-1);
      const { step, code, exit_code, disk_state, message } = last ?? {};
      assert.deepEqual(
        { step, code, exit_code, disk_state },
        { step: null, code: one.code, exit_code: one.exitCode, disk_state: 'untouched' },
      );
      assert.match(message ?? '', one.says);
      assert.deepEqual(identityOfDisks(), before, 'a disk was written to');
    });
  }
});

/** `durantic: SENTENCE [code]` once, beside it the step that failed and what became of the disk; no stack. */
function assertOneSentence(stderr: string, { code, says }: BadInput): void {
  const lines = stderr.trimEnd().split('\n');
  const isAround = (line: string): boolean =>
    /^\[\d\/7\] [A-Z][A-Za-z -]+: FAILED$/.test(line) ||
    /^The disk was not touched\.( Trying again can help\.)?$/.test(line);
  const sentences = lines.filter((line) => !isAround(line));
  assert.equal(sentences.length, 1, stderr);
  const [sentence = ''] = sentences;
  assert.match(sentence, new RegExp(`^durantic: .+ \\[${code}\\]$`));
  assert.match(sentence, says);
}

function disksOf({ disk, smallDisk, otherDisk }: BadInputs): readonly string[] {
  return [disk, smallDisk, otherDisk];
}

/** Changes with every write, also through a loop device. */
function identityOfDisks(): string[] {
  return disksOf(at).map((file) => {
    const { mtimeNs, blocks, size } = statSync(file, { bigint: true });
    return `${mtimeNs} ${blocks} ${size}`;
  });
}

test('F33 the swap that would have been stopped for a disk that could be taken is still on', () => {
  const swaps = readFileSync('/proc/swaps', 'utf8');
  assert.match(swaps, new RegExp(`^${at.swapLoop}p2\\s`, 'm'));
});

test('all those disks are byte for byte what they were, and a write would have been seen', async () => {
  assert.deepEqual(await sumsOfDisks(), sums);
  const before = identityOfDisks();
  await runCommand('dd', ['if=/dev/zero', `of=${at.loop}`, 'bs=512', 'count=1', 'conv=notrunc,fsync', 'status=none']);
  assert.notDeepEqual(identityOfDisks(), before);
});

async function sumsOfDisks(): Promise<string[]> {
  const { stdout } = await runCommand('sha256sum', [...disksOf(at)]);
  return stdout.trimEnd().split('\n');
}

/** The binary with the library that it needs to start, and without its manifest. */
async function copyWithoutBundle(): Promise<string> {
  const dir = join(at.files, 'copied');
  await mkdir(dir, { recursive: true });
  for (const name of ['durantic', 'libatomic.so.1']) {
    await runCommand('cp', ['--no-clobber', join(binary, '../bundle', name), dir]);
  }
  return join(dir, 'durantic');
}
