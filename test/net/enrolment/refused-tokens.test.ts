import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { CompactEncrypt, decodeProtectedHeader } from 'jose';
import { issuingKey, readBootstrapKeys, rotateBootstrapKey } from '../../../control-plane/enrolment/bootstrap-keys.ts';
import { type EnrolmentServer, enrolmentServer, factsOf, randomKey } from '../../builders/enrolment.ts';
import { Resources } from '../../resources.ts';

const tenMinutes = { claims: {}, header: {} };

/** A token made by hand under the server's key: like its own except for what is given. */
async function forge(
  server: EnrolmentServer,
  change: { claims?: Record<string, unknown>; header?: Record<string, unknown>; key?: Uint8Array } = tenMinutes,
): Promise<string> {
  const { kid, key } = issuingKey(readBootstrapKeys(server.context.dataDir));
  const nowSeconds = server.clock.now() / 1000;
  const claims = {
    iss: 'durantic',
    aud: 'durantic/enroll',
    account: server.context.accountUuid,
    iat: nowSeconds,
    exp: nowSeconds + 600,
    jti: 'j',
    name: 'n',
    ...change.claims,
  };
  return await new CompactEncrypt(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid, ...change.header })
    .encrypt(change.key ?? key);
}

/** The token with one character of a part replaced. */
function alter(token: string, part: number, at: number): string {
  const parts = token.split('.');
  const text = parts[part] ?? '';
  const index = at % Math.max(1, text.length);
  parts[part] = `${text.slice(0, index)}${text[index] === 'A' ? 'B' : 'A'}${text.slice(index + 1)}`;
  return parts.join('.');
}

async function wrongTokens(server: EnrolmentServer): Promise<Map<string, string>> {
  const good = await server.makeToken('1d');
  const foreign = randomBytes(32);
  return new Map([
    ['altered header', alter(good, 0, 12)],
    ['altered nonce', alter(good, 2, 3)],
    ['altered text', alter(good, 3, 40)],
    ['altered tag', alter(good, 4, 5)],
    ['with an encrypted key', alter(good, 1, 0)],
    ['cut', good.slice(0, -8)],
    ['foreign key, our kid', await forge(server, { key: foreign })],
    ['foreign key, foreign kid', await forge(server, { key: foreign, header: { kid: 'other' } })],
    ['our key, foreign kid', await forge(server, { header: { kid: 'other' } })],
    ['no kid', await forge(server, { header: { kid: undefined } })],
    ['another cipher', await forge(server, { header: { enc: 'A128CBC-HS256' } })],
    ['wrong audience', await forge(server, { claims: { aud: 'durantic/api' } })],
    ['no audience', await forge(server, { claims: { aud: undefined } })],
    ['several audiences', await forge(server, { claims: { aud: ['durantic/enroll', 'x'] } })],
    ['wrong issuer', await forge(server, { claims: { iss: 'else' } })],
    ['wrong account', await forge(server, { claims: { account: '1b4e28ba-2fa1-41d2-883f-0016d3cca427' } })],
    ['no end', await forge(server, { claims: { exp: undefined } })],
    ['end that is no number', await forge(server, { claims: { exp: '9e99' } })],
    ['no text at all', 'x'],
    ['a JWS', 'eyJhbGciOiJub25lIn0.e30.'],
    ['dots', '....'],
    ['expired, wrong audience', await forge(server, { claims: { aud: 'x', exp: 1 } })],
    ['expired, foreign key', await forge(server, { key: foreign, claims: { exp: 1 } })],
    ['single-use, never given', await forge(server, { claims: { machine: '1b4e28ba-2fa1-41d2-883f-0016d3cca427' } })],
  ]);
}

test('the token that the tests alter is good as it is', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  assert.equal((await server.enrol(await forge(server), randomKey(), factsOf(1))).status, 201);
});

test('F64 altered, foreign, misdirected and revoked tokens get one answer, are counted, and enrol nothing', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const answers = new Set<string>();
  const wrong = await wrongTokens(server);
  let index = 0;
  for (const [what, token] of wrong) {
    // From an address each, so that none meets the limit.
    index += 1;
    const reply = await server.enrol(token, randomKey(), factsOf(1), `198.51.100.${index}`);
    assert.equal(reply.status, 401, what);
    const { date, ...headers } = reply.headers;
    answers.add(JSON.stringify([reply.text, headers]));
  }
  assert.equal(answers.size, 1, [...answers].join('\n'));
  assert.doesNotMatch([...answers].join(), /expired/);
  assert.equal(server.enrolment.counters.tokensInvalid, wrong.size);
  assert.equal(server.machineCount(), 0);
});

test('F64 only the holder of a token that was good is told that it has expired', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const token = await server.makeToken('10m');
  server.clock.advance(599_999);
  assert.equal((await server.enrol(token, randomKey(), factsOf(1))).status, 201);
  server.clock.advance(1);
  const reply = await server.enrol(token, randomKey(), factsOf(2));
  assert.equal(reply.status, 401);
  assert.match(String(reply.body['detail']), /\bexpired\b/);
  assert.deepEqual(Object.keys(reply.body), ['detail']);
  assert.equal(server.enrolment.counters.tokensExpired, 1);
  assert.equal(server.machineCount(), 1);
});

test('F64 too many refusals from one address are limited; others, and good tokens from it, are not', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const [wrong = ''] = [...(await wrongTokens(server)).values()];
  const good = await server.makeToken();
  const statuses: number[] = [];
  let last = await server.enrol(wrong, randomKey(), factsOf(0));
  for (let count = 0; count < 1000; count += 1) {
    last = await server.enrol(wrong, randomKey(), factsOf(0));
    statuses.push(last.status);
  }
  assert.equal(statuses.filter((status) => status === 401).length, 19);
  assert.equal(statuses.filter((status) => status === 429).length, 981);
  assert.ok(Number(last.headers['retry-after']) >= 1);
  assert.equal(server.enrolment.counters.tokensInvalid, 1001);
  assert.equal(server.enrolment.counters.limited, 981);
  assert.equal((await server.enrol(wrong, randomKey(), factsOf(0), '192.0.2.2')).status, 401, 'another address');
  for (let index = 1; index <= 60; index += 1) {
    assert.equal((await server.enrol(good, randomKey(), factsOf(index))).status, 201, 'the rack behind that address');
  }
  server.clock.advance(Number(last.headers['retry-after']) * 1000);
  assert.equal((await server.enrol(wrong, randomKey(), factsOf(0))).status, 401, 'after the wait that was named');
});

test('F64 refusals of one /64 count together', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  for (let index = 0; index < 20; index += 1) {
    const reply = await server.enrol('x', randomKey(), factsOf(0), `2001:db8:0:1::${index.toString(16)}`);
    assert.equal(reply.status, 401);
  }
  assert.equal((await server.enrol('x', randomKey(), factsOf(0), '2001:db8:0:1:ffff::1')).status, 429);
  assert.equal((await server.enrol('x', randomKey(), factsOf(0), '2001:db8:0:2::1')).status, 401);
});

test('F64 refusing takes the same time, whatever is wrong', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  rotateBootstrapKey(server.context.dataDir, server.clock.now());
  const wrong = await wrongTokens(server);
  const kinds = ['altered tag', 'foreign key, our kid', 'foreign key, foreign kid', 'wrong audience', 'wrong account'];
  const times = new Map(kinds.map((kind) => [kind, [] as number[]]));
  // Interleaved, so that whatever else the machine does falls on all of them.
  for (let round = 0; round < 150; round += 1) {
    for (const kind of kinds) {
      const startedMs = performance.now();
      await server.enrol(wrong.get(kind) ?? '', 'A'.repeat(43), factsOf(1), `203.0.113.${round}`);
      times.get(kind)?.push(performance.now() - startedMs);
    }
  }
  const medians = [...times.values()].map((list) => list.sort((a, b) => a - b)[75] ?? 0);
  const [least, most] = [Math.min(...medians), Math.max(...medians)];
  // A decryption that is left out or doubled is 0.1 ms; what is allowed here is the noise of a busy machine.
  assert.ok(most < least * 1.5 + 0.3, `medians from ${least.toFixed(2)} to ${most.toFixed(2)} ms`);
});

test('a token is opaque: the header names the key and nothing else', async () => {
  await using resources = new Resources();
  const token = await enrolmentServer(resources).makeToken();
  assert.deepEqual(Object.keys(decodeProtectedHeader(token)).sort(), ['alg', 'enc', 'kid']);
});
