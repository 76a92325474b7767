import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAuthChallenges } from '../../../../core/oci/auth-challenge.ts';
import { parseContentRange } from '../../../../core/oci/content-range.ts';
import { readableErrorBody } from '../../../../core/oci/readable-error-body.ts';
import { jitterWait, longestRetryAfterMs, parseRetryAfter } from '../../../../core/oci/retry-after.ts';
import { safeUrl } from '../../../../core/oci/transport-error.ts';

test('a bearer challenge is read, commas and escapes in quotes included', () => {
  const header =
    'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:os/debian:pull,push"';
  const parameters = {
    realm: 'https://auth.example/token',
    service: 'registry.example',
    scope: 'repository:os/debian:pull,push',
  };
  assert.deepEqual(parseAuthChallenges(header), [{ scheme: 'bearer', parameters }]);
  assert.deepEqual(parseAuthChallenges('bearer  REALM = "a\\"b" , x=y'), [
    { scheme: 'bearer', parameters: { realm: 'a"b', x: 'y' } },
  ]);
});

test('several challenges on one line are told apart', () => {
  const schemes = parseAuthChallenges('Negotiate, Basic realm="a, b", NTLM TlRM==, Bearer realm="c",scope="d e"');
  assert.deepEqual(
    schemes.map(({ scheme, parameters }) => [scheme, parameters['realm'] ?? null]),
    [
      ['negotiate', null],
      ['basic', 'a, b'],
      ['ntlm', null],
      ['bearer', 'c'],
    ],
  );
});

test('no header makes the reader throw or hang', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'Bearer ="\\,a/'), maxLength: 60 }), (text) =>
      Array.isArray(parseAuthChallenges(text)),
    ),
  );
  const started = performance.now();
  parseAuthChallenges(`Bearer realm="${'\\"'.repeat(20_000)}`);
  assert.ok(performance.now() - started < 1000);
});

const nowMs = Date.parse('2024-05-01T12:00:00Z');

test('F07 Retry-After is read as seconds, HTTP date, epoch seconds and milliseconds', () => {
  const read = (value: string | undefined) => parseRetryAfter(value, nowMs);
  assert.equal(read('7'), 7000);
  assert.equal(read(' 0 '), 0);
  assert.equal(read('1.5'), 1500);
  assert.equal(read('Wed, 01 May 2024 12:00:09 GMT'), 9000);
  assert.equal(read(String(nowMs / 1000 + 11)), 11_000);
  assert.equal(read(String(nowMs + 12_000)), 12_000);
});

test('F07 what is absurd is clamped to 0 and 60 s, what says nothing is no wait', () => {
  const read = (value: string | undefined) => parseRetryAfter(value, nowMs);
  for (const value of ['3600', '999999999', '99999999999999999999', 'Fri, 01 May 2099 12:00:00 GMT']) {
    assert.equal(read(value), longestRetryAfterMs, value);
  }
  for (const value of ['Wed, 01 May 2019 12:00:00 GMT', '1500000000']) assert.equal(read(value), 0, value);
  for (const value of [undefined, '', '-5', 'soon', 'NaN', '1e9', '0x10'])
    assert.equal(read(value), undefined, String(value));
  fc.assert(
    fc.property(fc.string(), (text) => {
      const wait = read(text);
      return wait === undefined || (wait >= 0 && wait <= longestRetryAfterMs);
    }),
  );
});

test('F07 the wait is spread so that machines do not come back together', () => {
  assert.equal(
    jitterWait(0, () => 0),
    0,
  );
  assert.equal(
    jitterWait(60_000, () => 0.999),
    65_994,
  );
  assert.equal(
    jitterWait(0, () => 0.5),
    50,
  );
});

test('F04 Content-Range is read strictly', () => {
  assert.deepEqual(parseContentRange('bytes 5-9/20'), { range: { firstByte: 5, lastByte: 9 }, totalBytes: 20 });
  assert.deepEqual(parseContentRange('bytes 5-9/*'), { range: { firstByte: 5, lastByte: 9 }, totalBytes: null });
  assert.deepEqual(parseContentRange('bytes */20'), { range: null, totalBytes: 20 });
  for (const value of [
    undefined,
    '',
    'bytes 9-5/20',
    'bytes 5-20/20',
    'bytes */*',
    'items 1-2/3',
    'bytes 5-/20',
    'bytes 5-9',
    'bytes=5-9/20',
  ]) {
    assert.equal(parseContentRange(value), undefined, String(value));
  }
});

test('F07 error bodies become one short readable line', () => {
  const errors = '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down","detail":{"x":1}},{"code":"DENIED"}]}';
  assert.equal(readableErrorBody(errors), 'TOOMANYREQUESTS: slow down; DENIED');
  assert.equal(readableErrorBody('{"details":"incorrect password"}'), 'incorrect password');
  const html =
    '<html><head><title>503 Service Unavailable</title><style>p{color:red}</style></head><body>\n<h1>Try &amp; wait</h1><script>x()</script></body></html>';
  assert.equal(readableErrorBody(html), '503 Service Unavailable Try & wait');
  assert.equal(readableErrorBody('plain\u001b[31m\r\ntext'), 'plain [31m text');
  assert.equal(readableErrorBody(''), '');
  assert.equal(readableErrorBody('x'.repeat(5000)).length, 200);
});

test('F06 a URL for a log has neither query nor credentials', () => {
  assert.equal(
    safeUrl(new URL('https://u:p@storage.example:8443/a/b?X-Signature=secret#f')),
    'https://storage.example:8443/a/b',
  );
});
