import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectRange } from '../../../../control-plane/downloads/select-range.ts';

const source = { sizeBytes: 1000, etag: '"v1"', modifiedMs: Date.parse('2026-11-20T12:00:00.500Z') };
const lastModified = 'Fri, 20 Nov 2026 12:00:00 GMT';
const before = 'Fri, 20 Nov 2026 11:59:59 GMT';
const whole = { status: 200, start: 0, end: 1000 };
const part = (start: number, end: number) => ({ status: 206, start, end });

const cases: readonly [string, Record<string, string>, object][] = [
  ['nothing asked', {}, whole],
  ['from an offset', { range: 'bytes=10-' }, part(10, 1000)],
  ['from the start', { range: 'bytes=0-' }, part(0, 1000)],
  ['first and last byte', { range: 'bytes=10-19' }, part(10, 20)],
  ['one byte', { range: 'bytes=999-999' }, part(999, 1000)],
  ['beyond the end', { range: 'bytes=990-5000' }, part(990, 1000)],
  ['the last bytes', { range: 'bytes=-10' }, part(990, 1000)],
  ['more last bytes than there are', { range: 'bytes=-5000' }, part(0, 1000)],
  ['no last bytes', { range: 'bytes=-0' }, { status: 416 }],
  ['after the end', { range: 'bytes=1000-' }, { status: 416 }],
  ['far after the end', { range: 'bytes=99999999999999999999-' }, { status: 416 }],
  ['backwards', { range: 'bytes=20-10' }, whole],
  ['no numbers', { range: 'bytes=-' }, whole],
  ['another unit', { range: 'lines=1-2' }, whole],
  ['several ranges', { range: 'bytes=0-1,5-6' }, whole],
  ['If-Range with this version', { range: 'bytes=10-', 'if-range': '"v1"' }, part(10, 1000)],
  ['If-Range with another version', { range: 'bytes=10-', 'if-range': '"v0"' }, whole],
  ['If-Range with a weak tag', { range: 'bytes=10-', 'if-range': 'W/"v1"' }, whole],
  ['If-Range with the date', { range: 'bytes=10-', 'if-range': lastModified }, part(10, 1000)],
  ['If-Range with another date', { range: 'bytes=10-', 'if-range': before }, whole],
  ['If-None-Match with this version', { 'if-none-match': '"v0", W/"v1"' }, { status: 304 }],
  ['If-None-Match with anything', { 'if-none-match': '*' }, { status: 304 }],
  ['If-None-Match with another version', { 'if-none-match': '"v0"', 'if-modified-since': lastModified }, whole],
  ['If-Modified-Since with its date', { 'if-modified-since': lastModified }, { status: 304 }],
  ['If-Modified-Since before', { 'if-modified-since': before }, whole],
  ['If-Modified-Since that is no date', { 'if-modified-since': 'yesterday' }, whole],
];
for (const [name, headers, expected] of cases) {
  test(`range: ${name}`, () => assert.deepEqual(selectRange(headers, source), expected));
}

test('range: of nothing there is no part', () => {
  const empty = { ...source, sizeBytes: 0 };
  assert.deepEqual(selectRange({}, empty), { status: 200, start: 0, end: 0 });
  assert.deepEqual(selectRange({ range: 'bytes=0-' }, empty), { status: 416 });
  assert.deepEqual(selectRange({ range: 'bytes=-5' }, empty), { status: 416 });
});
