import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseEvents, type ServerSentEvent } from '../../../../core/api-client/parse-events.ts';

async function eventsOf(pieces: readonly Uint8Array[]): Promise<ServerSentEvent[]> {
  const found: ServerSentEvent[] = [];
  async function* source(): AsyncGenerator<Uint8Array> {
    yield* pieces;
  }
  for await (const event of parseEvents(source())) found.push(event);
  return found;
}

function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = [...new Set(at.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

const stream =
  ': hello\r\n\r\nevent: machine\r\ndata: {"uuid":"ä€😀"}\r\n\r\nretry: 5\nid: 7\ndata:one\ndata: two\n\nevent: x\n\ndata\n\n';

test('events are read whatever the line ends; comments, ids and events without data are left out', async () => {
  assert.deepEqual(await eventsOf([Buffer.from(stream)]), [
    { type: 'machine', data: '{"uuid":"ä€😀"}' },
    { type: 'message', data: 'one\ntwo' },
    { type: 'message', data: '' },
  ]);
});

test('it does not matter where the stream is cut, not even within a character or a line end', async () => {
  const whole = await eventsOf([Buffer.from(stream)]);
  const bytes = Buffer.from(stream);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 12 }), async (places) => {
      assert.deepEqual(await eventsOf(cut(bytes, places)), whole);
    }),
  );
});

test('an event that never ends is refused and not collected without bound', async () => {
  const line = Buffer.from(`data: ${'x'.repeat(100_000)}\n`);
  await assert.rejects(eventsOf(Array.from({ length: 20 }, () => line)), RangeError);
});

test('an event that the stream breaks off is not given', async () => {
  assert.deepEqual(await eventsOf([Buffer.from('data: half\n')]), []);
});
