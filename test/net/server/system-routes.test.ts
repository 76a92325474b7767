import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RouteRequest } from '../../../control-plane/http/route.ts';
import { StatusReply } from '../../../control-plane/http/route.ts';
import { RequestTracker } from '../../../control-plane/server/request-tracker.ts';
import { ServerMetrics } from '../../../control-plane/server/server-metrics.ts';
import { healthRoute } from '../../../control-plane/server/system-routes.ts';
import { buildInfo } from '../../../core/base/build-info.ts';
import { collectingLogger } from '../../builders/collecting-logger.ts';
import { startTestServer } from '../../builders/server.ts';
import { FakeClock, testContext } from '../../builders/server-context.ts';
import { Resources, waitFor } from '../../resources.ts';

const { version } = buildInfo();

test('health: 200 to anyone; 503 while the server stops; 503 without its database', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const answer = await server.fetch('/healthz');
  assert.equal(answer.status, 200);
  assert.deepEqual(await answer.json(), { status: 'ok', version, database: 'ok' });

  const { db, log, clock } = testContext(resources);
  const tracker = new RequestTracker(() => false);
  const route = healthRoute({ db, log, clock, tracker });
  const ask = (): unknown => route.handle({} as RouteRequest<unknown, unknown, unknown>);
  await tracker.drain(0);
  assert.deepEqual(ask(), new StatusReply(503, { status: 'draining', version, database: 'ok' }));
  db.close();
  assert.deepEqual(ask(), new StatusReply(503, { status: 'failed', version, database: 'failed' }));
});

test('a database that takes no writes: health is 503 until it does, and what only reads goes on', async () => {
  await using resources = new Resources();
  const clock = new FakeClock();
  const { log, lines } = collectingLogger('error');
  const server = await startTestServer(resources, { clock, log });
  const { db } = server.context;
  const health = async (): Promise<unknown[]> => {
    const answer = await server.fetch('/healthz');
    return [answer.status, await answer.json()];
  };
  const ok = [200, { status: 'ok', version, database: 'ok' }];
  assert.deepEqual(await health(), ok);
  db.exec('PRAGMA query_only = ON');
  clock.advance(10_000);
  assert.deepEqual(await health(), [503, { status: 'failed', version, database: 'failed' }]);
  clock.advance(60_000);
  assert.equal((await server.api('GET', '/api/provisioning/machines/')).status, 200);
  const said = lines.map(({ msg }) => msg);
  assert.deepEqual(said, ['the database cannot be written', 'the use of an API token could not be noted']);
  assert.match(JSON.stringify(lines), /readonly database/);
  db.exec('PRAGMA query_only = OFF');
  assert.deepEqual(await health(), ok);
});

test('health writes once in 10 seconds, however often it is asked', async () => {
  await using resources = new Resources();
  const clock = new FakeClock();
  const { db, log } = testContext(resources, { clock });
  const route = healthRoute({ db, log, clock, tracker: new RequestTracker(() => false) });
  const changes = (): unknown => db.prepare('SELECT total_changes() AS n').get()?.['n'];
  const ask = (): unknown => route.handle({} as RouteRequest<unknown, unknown, unknown>);
  const before = Number(changes());
  for (let second = 0; second < 10; second += 1) {
    ask();
    clock.advance(1000);
  }
  assert.equal(Number(changes()) - before, 1);
  ask();
  assert.equal(Number(changes()) - before, 2);
  // A clock that was set back.
  clock.advance(-3_600_000);
  ask();
  assert.equal(Number(changes()) - before, 3);
});

test('metrics: process, requests by pattern, agents, machines, provisions, enrolment; nobody is named', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const uuid = 'a1b2c3d4-0000-4000-8000-000000000000';
  await server.api('GET', `/api/provisioning/machines/${uuid}`);
  await server.api('GET', '/nothing/here');
  await server.api('POST', '/api/agent/enroll', { token: 'x' });
  const read = async (): Promise<string> => await (await server.fetch('/metrics')).text();
  // A request is counted when its answer has gone, which the caller may see first.
  const text = await waitFor('the requests to be counted', async () => {
    const metrics = await read();
    return /route="\/api\/agent\/enroll",status="422"/.test(metrics) && metrics;
  });
  for (const line of [
    /^process_cpu_user_seconds_total \d/m,
    /^durantic_http_request_duration_seconds_count\{method="GET",route="\/api\/provisioning\/machines\/:uuid",status="404"\} 1$/m,
    /^durantic_http_request_duration_seconds_count\{method="GET",route="none",status="404"\} 1$/m,
    /^durantic_agent_sockets\{state="connected"\} 0$/m,
    /^durantic_machines 0$/m,
    /^durantic_provisions\{status="in_progress"\} 0$/m,
    /^durantic_enrolment_events_total\{event="tokens_invalid"\} 0$/m,
    /^# TYPE durantic_command_duration_seconds histogram$/m,
  ]) {
    assert.match(text, line);
  }
  assert.ok(!text.includes(uuid) && !text.includes('nothing/here'));
  // Counters that the parts of the server keep are shown as they are, however often they are read.
  server.services.enrolment.counters.tokensInvalid = 3;
  for (let time = 0; time < 2; time += 1) {
    assert.match(await read(), /^durantic_enrolment_events_total\{event="tokens_invalid"\} 3$/m);
  }
});

test('metrics: a machine on record is counted, and the time of a command', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const { db, accountUuid } = server.context;
  const now = new Date().toISOString();
  const uuid = 'a1b2c3d4-0000-4000-8000-000000000000';
  db.prepare(
    "INSERT INTO machines (uuid, account_uuid, hostname, facts, created_at, updated_at) VALUES (?, ?, 'secret-name', '{}', ?, ?)",
  ).run(uuid, accountUuid, now, now);
  const { commands } = server.services;
  const command = commands.enqueue(uuid, 'Reboot', {});
  commands.cancel(command.uuid, 'not wanted');
  const text = await (await server.fetch('/metrics')).text();
  assert.match(text, /^durantic_machines 1$/m);
  assert.ok(!text.includes('secret-name'));
  // A command that was never sent has no round trip.
  assert.doesNotMatch(text, /durantic_command_duration_seconds_count\{/);
  const metrics = new ServerMetrics(server.context, {
    agentCounts: () => ({ connected: 0, waiting: 0 }),
    enrolment: server.services.enrolment.counters,
  });
  const [sentAt, finishedAt] = ['2026-11-20T12:00:00.000Z', '2026-11-20T12:00:02.500Z'];
  metrics.listener.commandEnded?.({ ...command, status: 'done', sentAt, finishedAt });
  const ended = await metrics.registry.metrics();
  assert.match(ended, /^durantic_command_duration_seconds_sum\{kind="Reboot",outcome="done"\} 2\.5$/m);
});

test('one line per request: pattern, status, time, address; no query, token, body or secret part of a path', async () => {
  await using resources = new Resources();
  const { log, lines } = collectingLogger('debug');
  const server = await startTestServer(resources, { log });
  const uuid = 'a1b2c3d4-0000-4000-8000-000000000000';
  const secret = 'S'.repeat(43);
  await server.api('GET', `/api/provisioning/machines/${uuid}?filter=${secret}`);
  await server.api('POST', '/api/agent/enroll', { token: secret });
  await server.api('GET', `/api/agent/approvals/${secret}`);
  await server.api('GET', `/${secret}`);
  await server.fetch('/healthz');
  await server.fetch('/metrics');
  const requests = await waitFor('the last line', () => {
    const found = lines.filter(({ msg }) => msg === 'request');
    return found.length >= 6 && found;
  });
  const shown = requests.map(({ level, method, route, status, address, uuid: of }) => [
    level === 30 ? 'info' : level,
    method,
    route,
    status,
    address,
    of,
  ]);
  const address = '127.0.0.1';
  assert.deepEqual(shown, [
    ['info', 'GET', '/api/provisioning/machines/:uuid', 404, address, uuid],
    ['info', 'POST', '/api/agent/enroll', 422, address, undefined],
    // What is asked again and again: at level debug.
    [20, 'GET', '/api/agent/approvals/:approval_id', 200, address, undefined],
    ['info', 'GET', 'none', 404, address, undefined],
    [20, 'GET', '/healthz', 200, address, undefined],
    [20, 'GET', '/metrics', 200, address, undefined],
  ]);
  const text = JSON.stringify(lines);
  assert.ok(!text.includes(secret) && !text.includes(server.adminToken), text);
  for (const { duration_ms: durationMs } of requests) assert.ok(Number(durationMs) >= 0);
});

test('firmware gets its files and health without TLS, and nothing else', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources, { settings: { httpBoot: { host: '127.0.0.1', port: 0 } } });
  const url = server.context.httpBootUrl;
  assert.match(url ?? '', /^http:\/\/127\.0\.0\.1:\d+$/);
  const get = async (path: string): Promise<number> =>
    (await fetch(url + path, { headers: { authorization: `Bearer ${server.adminToken}` } })).status;
  assert.equal(await get('/healthz'), 200);
  for (const path of [
    '/',
    '/metrics',
    '/api/provisioning/machines/',
    '/api/agent/ca',
    '/api/agent/connect',
    '/install.sh',
  ]) {
    assert.equal(await get(path), 404, path);
  }
  for (const path of ['/boot/ipxe', '/boot/vmlinuz', '/boot/installer.iso']) {
    const [plain, secure] = [await fetch(url + path), await server.fetch(path)];
    const text = await plain.text();
    assert.ok(!text.includes('there is nothing at this address'), `${path}: ${text}`);
    assert.equal(plain.status, secure.status, path);
  }
});
