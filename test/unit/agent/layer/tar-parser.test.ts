import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { TarEntry } from '../../../../agent/layer/tar-entry.ts';
import { TarFormatError } from '../../../../agent/layer/tar-numbers.ts';
import { TarParser } from '../../../../agent/layer/tar-parser.ts';
import { buildPax, buildTar, type RawEntry } from '../../../builders/tar-builder.ts';
import { sparseFormats } from '../../../builders/tar-sparse.ts';

interface Member {
  readonly entry: TarEntry;
  readonly content: Buffer;
}

/** Everything an archive holds, read in the given pieces; holes are zeros. */
function readAll(pieces: readonly Buffer[]): { members: Member[]; parser: TarParser } {
  const parser = new TarParser();
  const members: Member[] = [];
  let content = Buffer.alloc(0);
  for (const piece of pieces) {
    for (const event of parser.push(piece)) {
      if (event.type === 'data') event.bytes.copy(content, event.offsetBytes);
      else if (event.type === 'entry') {
        content = Buffer.alloc(event.entry.kind === 'file' ? event.entry.sizeBytes : 0);
        members.push({ entry: event.entry, content });
      }
    }
  }
  parser.finish();
  return { members, parser };
}

const entries: RawEntry[] = [
  { name: 'small', data: 'hello' },
  { name: 'empty' },
  { name: 'block', data: 'b'.repeat(512) },
  {
    pax: [
      ['path', `long/${'n'.repeat(300)}`],
      ['SCHILY.xattr.user.a', Buffer.from([0, 255, 10])],
    ],
    data: 'x'.repeat(1300),
  },
  { longName: `gnu/${'g'.repeat(200)}`, longLink: 'target', typeflag: '2' },
  { name: 'folder/', typeflag: '5' },
];
const sparseEntries = Object.entries(sparseFormats).map(([format, build]) =>
  build(format, 9000, [
    { offset: 100, data: 'first' },
    { offset: 5000, data: 'second' },
    { offset: 9000, data: '' },
  ]),
);

it('however the stream is cut, it says the same', () => {
  const whole = buildTar([...entries, ...sparseEntries]);
  const expected = readAll([whole]).members;
  assert.equal(expected.length, entries.length + sparseEntries.length);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: whole.length - 1 }), { maxLength: 40 }), (cuts) => {
      const edges = [0, ...cuts.toSorted((left, right) => left - right), whole.length];
      const pieces = edges.slice(1).map((end, index) => whole.subarray(edges[index], end));
      assert.deepEqual(readAll(pieces).members, expected);
    }),
    { numRuns: 60 },
  );
  assert.deepEqual(readAll([...whole].map((byte) => Buffer.from([byte]))).members, expected);
});

it('every sparse format gives name, size and content', () => {
  for (const [format, build] of Object.entries(sparseFormats)) {
    const pieces = Array.from({ length: 50 }, (_, index) => ({ offset: index * 1000, data: `piece ${index}` }));
    const { members } = readAll([buildTar([build('sparse file', 60_000, pieces), { name: 'after' }])]);
    const expected = Buffer.alloc(60_000);
    for (const { offset, data } of pieces) expected.write(data, offset);
    assert.deepEqual(
      members.map(({ entry }) => entry.name),
      ['sparse file', 'after'],
      format,
    );
    assert.ok(members[0]?.content.equals(expected), format);
  }
});

it('sparse maps that lie are refused', () => {
  const maps = ['0,5,3,5', '5,100', '-5,10', '0,4', '0,6', '0', '0,5,x,1', '0,-5,0,10', '9007199254740991,5'];
  for (const map of maps) {
    const pax = [
      ['GNU.sparse.major', '0'],
      ['GNU.sparse.minor', '1'],
      ['GNU.sparse.size', '50'],
      ['GNU.sparse.map', map],
    ] as const;
    assert.throws(() => readAll([buildTar([{ name: 's', pax, data: 'hello' }])]), TarFormatError, map);
  }
});

it('what an extended header says counts for one entry only', () => {
  const { members } = readAll([
    buildTar([
      {
        pax: [
          ['path', 'named'],
          ['uid', '7'],
          ['SCHILY.xattr.user.a', 'b'],
        ],
      },
      { name: 'plain' },
    ]),
  ]);
  const [first, second] = members.map(({ entry }) => entry);
  assert.deepEqual([first?.name, first?.uid, first?.xattrs.length], ['named', 7, 1]);
  assert.deepEqual([second?.name, second?.uid, second?.xattrs.length], ['plain', 0, 0]);
});

it('an archive may lack its end marker, and may have anything behind it', () => {
  assert.equal(readAll([buildTar([{ name: 'a' }], { endMarker: false })]).parser.hasEndMarker, false);
  const junk = Buffer.concat([buildTar([{ name: 'a' }]), Buffer.alloc(5000, 1)]);
  const { members, parser } = readAll([junk]);
  assert.equal(parser.hasEndMarker, true);
  assert.equal(parser.offsetBytes, junk.length);
  assert.equal(members.length, 1);
});

it('what is no archive is refused, with the place', () => {
  const parser = new TarParser();
  const bad = Buffer.concat([buildTar([{ name: 'good', data: 'x' }], { endMarker: false }), Buffer.alloc(512, 'z')]);
  assert.throws(() => [...parser.push(bad)], TarFormatError);
  assert.equal(parser.lastName, 'good');
  assert.equal(parser.offsetBytes, 1536);
});

it('a zero block between entries, huge extended headers and a header without entry are refused', () => {
  const tar = (parts: readonly (RawEntry | Buffer)[]): Buffer => buildTar(parts, { endMarker: false });
  assert.throws(() => readAll([tar([Buffer.alloc(512), { name: 'a' }])]), TarFormatError);
  assert.throws(() => readAll([tar([{ name: 'x', typeflag: 'x', size: 2 * 1024 * 1024 }])]), TarFormatError);
  assert.throws(() => readAll([tar([{ name: 'x', typeflag: 'L', size: 2 ** 33 }])]), TarFormatError);
  assert.throws(() => readAll([tar([buildPax([['path', 'lost']])])]), TarFormatError);
  assert.throws(() => readAll([tar([{ name: 'x', typeflag: 'S', data: 'no GNU header' }])]), TarFormatError);
});

it('arbitrary damage gives entries or a TarFormatError, never anything else', () => {
  const whole = buildTar([...entries, ...sparseEntries]);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }), (damage) => {
      const copy = Buffer.from(whole);
      for (const [at, byte] of damage) copy[at] = byte;
      try {
        const parser = new TarParser();
        for (const _event of parser.push(copy));
        parser.finish();
      } catch (error) {
        assert.ok(error instanceof TarFormatError, String(error));
      }
    }),
    { numRuns: 300 },
  );
});
