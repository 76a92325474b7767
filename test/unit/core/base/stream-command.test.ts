import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { streamCommand } from '../../../../core/base/stream-command.ts';

async function drain(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

test('gives every byte of the output, more than a pipe holds', async () => {
  const output = await drain(streamCommand('head', ['-c', '3000000', '/dev/zero']));
  assert.equal(output.length, 3_000_000);
});

test('a program that fails after its last byte is an error, with its exit code and last line', async () => {
  await assert.rejects(drain(streamCommand('sh', ['-c', 'echo some; echo "disk on fire" >&2; exit 3'])), (error) => {
    assert(error instanceof ProvisionError);
    assert.equal(error.code, 'tool_failed');
    assert.equal(error.facts['exit_code'], 3);
    assert.match(error.message, /disk on fire/);
    return true;
  });
});

test('a program that is not there is tool_missing', async () => {
  await assert.rejects(drain(streamCommand('no-such-program', [])), { code: 'tool_missing' });
});

test('whoever stops reading ends the program', async () => {
  for await (const chunk of streamCommand('yes', [])) {
    assert(chunk.length > 0);
    break;
  }
});

test('an aborted signal is the error, not the program it ended', async () => {
  const controller = new AbortController();
  const reading = drain(streamCommand('sleep', ['60'], { signal: controller.signal }));
  controller.abort(new ProvisionError('aborted', 'enough'));
  await assert.rejects(reading, { code: 'aborted', message: 'enough' });
});

test('children of the program that hold its output are not waited for when the signal ends it', async () => {
  const controller = new AbortController();
  const stream = streamCommand('sh', ['-c', 'echo here; sleep 4 & exec sleep 4'], { signal: controller.signal });
  const startedMs = performance.now();
  await assert.rejects(
    async () => {
      for await (const _ of stream) controller.abort();
    },
    { code: 'aborted' },
  );
  assert.ok(performance.now() - startedMs < 2000);
});

test('a program that says nothing ends when its stream is destroyed', async () => {
  const startedMs = performance.now();
  const stream = streamCommand('sleep', ['20']);
  const closed = new Promise((resolve) => stream.once('close', resolve));
  stream.resume();
  stream.on('error', () => undefined);
  setImmediate(() => stream.destroy());
  await closed;
  assert.ok(performance.now() - startedMs < 5000);
});
