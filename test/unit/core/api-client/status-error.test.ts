import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusError } from '../../../../core/api-client/status-error.ts';

function errorOf(status: number, body: unknown, retryAfterSeconds?: number) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return statusError({ status, text, retryAfterSeconds }, 'server:8443');
}

const rows = [
  [401, { detail: 'no' }, 'api_token_refused', 'the server server:8443 does not accept the API token'],
  [403, { detail: 'not yours' }, 'api_token_refused', 'not yours'],
  [404, { detail: 'machine 7 does not exist' }, 'object_not_found', 'machine 7 does not exist'],
  [409, { detail: 'an image has this name' }, 'request_conflict', 'an image has this name'],
  [400, { detail: 'not JSON' }, 'request_invalid', 'not JSON'],
  [500, { detail: 'the log says why' }, 'server_error', 'the server server:8443 answers 500: the log says why'],
  [502, '<html>Bad Gateway</html>', 'server_error', 'the server server:8443 answers 502'],
  [302, '', 'server_answer_invalid', 'server:8443 answers 302, which no durantic server does'],
] as const;

for (const [status, body, code, message] of rows) {
  test(`${status} is ${code}: ${message}`, () => {
    const error = errorOf(status, body);
    assert.equal(error.code, code);
    assert.equal(error.message, message);
  });
}

test('422 names every field, and a rule between fields without one', () => {
  const error = errorOf(422, {
    detail: [
      { loc: ['body', 'role_names', 1], msg: 'no such role', type: 'value_error' },
      { loc: ['query', 'since'], msg: 'is no time', type: 'invalid' },
      { loc: ['body'], msg: 'name one of the two', type: 'value_error' },
    ],
  });
  assert.equal(error.code, 'request_invalid');
  assert.equal(error.message, 'role_names.1: no such role; since: is no time; name one of the two');
});

test('429 says how long to wait, and only a short wait is kept by itself', () => {
  assert.equal(errorOf(429, { detail: 'too many codes' }, 60).message, 'too many codes; try again in 60 s');
  assert.equal(errorOf(429, { detail: 'too many codes' }, 60).retryable, false);
  assert.equal(errorOf(429, { detail: 'too many codes' }, 5).retryable, true);
  assert.equal(errorOf(429, '').message, 'too many requests; try again later');
});

test('nothing in a message can steer the terminal', () => {
  const { message } = errorOf(409, { detail: 'name \u001b]0;owned\u0007\nsecond line' });
  assert.equal(message, 'name \\x1b]0;owned\\x07 second line');
});
