import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { parsePaxHeader, readPaxRecords } from '../../../../agent/layer/pax-records.ts';
import { TarFormatError } from '../../../../agent/layer/tar-numbers.ts';
import { buildPaxRecord } from '../../../builders/tar-builder.ts';

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));

it('records come back byte for byte, whatever their values hold', () => {
  const key = fc.string({ minLength: 1, maxLength: 120, unit: fc.constantFrom('a', 'B', '.', '_', '9') });
  fc.assert(
    fc.property(fc.array(fc.tuple(key, bytes), { maxLength: 10 }), (records) => {
      const body = Buffer.concat(records.map(([name, value]) => buildPaxRecord(name, value)));
      const read = [...readPaxRecords(body)].map((record) => [record.key, Buffer.from(record.value)]);
      assert.deepEqual(read, records);
    }),
  );
});

it('xattr values keep every byte, empty ones are none', () => {
  const capability = Buffer.from([1, 0, 0, 2, 0, 32, 0xff, 10, 61, 0]);
  const body = Buffer.concat([
    buildPaxRecord('SCHILY.xattr.security.capability', capability),
    buildPaxRecord('SCHILY.xattr.user.empty', ''),
    buildPaxRecord('SCHILY.xattr.user.twice', 'one'),
    buildPaxRecord('SCHILY.xattr.user.twice', 'two'),
  ]);
  assert.deepEqual(parsePaxHeader(body).xattrs, [
    { name: 'security.capability', value: capability },
    { name: 'user.twice', value: Buffer.from('two') },
  ]);
});

it('plain records, the last of a key counts, an empty one takes it back', () => {
  const body = Buffer.concat(
    [
      ['path', 'a'],
      ['path', 'b\xff'],
      ['linkpath', 'x'],
      ['linkpath', ''],
      ['uid', '5'],
      ['size', '7'],
      ['comment', 'nothing'],
      ['SCHILY.acl.access', 'user::rwx'],
    ].map(([key = '', value = '']) => buildPaxRecord(key, value)),
  );
  const { path, linkPath, uid, sizeBytes, ignored } = parsePaxHeader(body);
  assert.deepEqual([path, linkPath, uid, sizeBytes, ignored], ['b\xff', undefined, 5, 7, ['SCHILY.acl.access']]);
});

it('malformed records are refused', () => {
  for (const text of [
    '5 a=b',
    '99 a=b\n',
    '6 a=b\n\n',
    '0 a=b\n',
    'x a=b\n',
    '6 ab\n\n',
    '6 =ab\n',
    '6a=bc\n',
    '-6 a=b\n',
  ]) {
    assert.throws(() => [...readPaxRecords(Buffer.from(text))], TarFormatError, JSON.stringify(text));
  }
  assert.throws(() => parsePaxHeader(buildPaxRecord('path', 'a\0b')), TarFormatError);
  assert.throws(() => parsePaxHeader(buildPaxRecord('GNU.sparse.numbytes', '5')), TarFormatError);
});

it('arbitrary bytes never give anything but a TarFormatError', () => {
  fc.assert(
    fc.property(bytes, (body) => {
      try {
        parsePaxHeader(body);
      } catch (error) {
        assert.ok(error instanceof TarFormatError);
      }
    }),
  );
});

it('a megabyte of records is read in linear time', () => {
  const body = Buffer.concat(
    Array.from({ length: 40_000 }, (_, index) => buildPaxRecord(`SCHILY.xattr.u.${index}`, 'v')),
  );
  const startMs = performance.now();
  assert.equal(parsePaxHeader(body).xattrs.length, 40_000);
  assert.ok(performance.now() - startMs < 1000);
});
