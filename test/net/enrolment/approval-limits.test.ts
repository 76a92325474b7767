import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxPending } from '../../../control-plane/enrolment/approvals.ts';
import { approvalCodeAlphabet } from '../../../protocol/enrolment.ts';
import { type EnrolmentServer, enrolmentServer, factsOf, type Reply, randomKey } from '../../builders/enrolment.ts';
import { Resources } from '../../resources.ts';

async function ask(server: EnrolmentServer, address: string): Promise<Reply> {
  const body = { public_key: { kty: 'OKP', crv: 'Ed25519', x: randomKey() }, facts: factsOf(1) };
  return await server.call('POST', '/api/agent/approvals', body, address);
}

async function enter(server: EnrolmentServer, code: string, address: string): Promise<Reply> {
  return await server.call('POST', '/api/provisioning/approvals/', { code, action: 'preview' }, address);
}

/** The `index`th code, in an order of its own. */
function codeOf(index: number): string {
  const letters = Array.from({ length: 6 }, (_, at) => approvalCodeAlphabet[Math.floor(index / 23 ** at) % 23]);
  return `${letters.slice(0, 3).join('')}-${letters.slice(3).join('')}`;
}

function pendingOf(server: EnrolmentServer, where = '1 = 1'): number {
  const row = server.context.db.prepare(`SELECT count(*) AS n FROM approvals WHERE status = 'pending' AND ${where}`);
  return Number(row.get()?.['n']);
}

test('F64 a code tried 1,000 times: ten answers, all the same, then none; counted; the right one has to wait as well', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const { code } = (await ask(server, '198.51.100.1')).body;
  const refused = new Set<string>();
  const statuses = new Map<number, number>();
  let last: Reply | undefined;
  for (let index = 0; index < 1000; index += 1) {
    if (codeOf(index) === code) continue;
    last = await enter(server, codeOf(index), '192.0.2.1');
    statuses.set(last.status, (statuses.get(last.status) ?? 0) + 1);
    if (last.status === 404) refused.add(last.text);
  }
  assert.deepEqual(
    [...statuses],
    [
      [404, 10],
      [429, 1000 - 10],
    ],
  );
  assert.equal(refused.size, 1);
  assert.equal(server.enrolment.counters.codesRefused, 10);
  assert.equal(server.enrolment.counters.limited, 990);
  // Not even the right code: otherwise the limit would not be one.
  assert.equal((await enter(server, String(code), '192.0.2.1')).status, 429);
  server.clock.advance(Number(last?.headers['retry-after']) * 1000);
  assert.equal((await enter(server, String(code), '192.0.2.1')).status, 200);
});

test('F64 unknown, used, denied and expired codes get one answer', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const decide = async (code: unknown, action: string): Promise<Reply> =>
    await server.call('POST', '/api/provisioning/approvals/', { code, action });
  const codes: unknown[] = [];
  for (const action of ['approve', 'deny']) {
    const { code } = (await ask(server, '198.51.100.1')).body;
    assert.equal((await decide(code, action)).status, 200);
    codes.push(code);
  }
  const expired = (await ask(server, '198.51.100.1')).body['code'];
  server.clock.advance(900_000);
  const replies = [];
  for (const code of [...codes, expired, 'AAA-AAA', '000-000']) replies.push(await decide(code, 'approve'));
  assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([404]));
  assert.equal(new Set(replies.map(({ text }) => text)).size, 1);
});

test('F64 an account that enters wrong codes from many addresses is limited too', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const statuses: number[] = [];
  for (let index = 0; index < 30; index += 1) {
    statuses.push((await enter(server, codeOf(index), `203.0.113.${index}`)).status);
  }
  assert.deepEqual(statuses, [...Array(20).fill(404), ...Array(10).fill(429)]);
});

test('right codes are not limited: a whole rack is approved in a row', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  for (let index = 0; index < 60; index += 1) {
    const { code } = (await ask(server, '198.51.100.1')).body;
    const reply = await server.call('POST', '/api/provisioning/approvals/', { code, action: 'deny' });
    assert.equal(reply.status, 200);
  }
});

test('codes are limited by address; other addresses still get theirs', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  const statuses: number[] = [];
  let last: Reply | undefined;
  for (let count = 0; count < 150; count += 1) {
    last = await ask(server, '198.51.100.1');
    statuses.push(last.status);
  }
  assert.deepEqual(statuses, [...Array(100).fill(201), ...Array(50).fill(429)]);
  assert.ok(Number(last?.headers['retry-after']) > 0);
  assert.equal((await ask(server, '198.51.100.2')).status, 201);
});

test('a full list stays full: the largest flood makes room for a newcomer and is refused itself', async () => {
  await using resources = new Resources();
  const server = enrolmentServer(resources);
  for (let index = 0; index < maxPending; index += 1) {
    const host = index < 90 ? 0 : Math.floor(index / 45);
    assert.equal((await ask(server, `198.51.100.${host}`)).status, 201);
  }
  assert.equal(pendingOf(server), maxPending);
  const flood = await ask(server, '198.51.100.0');
  assert.equal(flood.status, 429);
  assert.ok(Number(flood.headers['retry-after']) > 0);
  assert.equal((await ask(server, '192.0.2.77')).status, 201);
  assert.equal(pendingOf(server), maxPending);
  assert.equal(pendingOf(server, "address = '198.51.100.0'"), 89);
  // Expired ones make room for everybody.
  server.clock.advance(900_000);
  assert.equal((await ask(server, '198.51.100.0')).status, 201);
  assert.equal(Number(server.context.db.prepare('SELECT count(*) AS n FROM approvals').get()?.['n']), 1);
});
