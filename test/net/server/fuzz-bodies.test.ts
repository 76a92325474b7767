import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { allRoutes } from '../../../control-plane/all-routes.ts';
import type { Route } from '../../../control-plane/http/route.ts';
import { anyJson, brokenJson, mutatedJson } from '../../builders/fuzz-json.ts';
import { valueOfSchema } from '../../builders/fuzz-schema.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { insertTestMachine } from '../../builders/test-agent.ts';
import { liveBytes, watchProcess } from '../../builders/watch-process.ts';
import { Resources } from '../../resources.ts';

const requestsPerRun = 25;
const runs = 500;
/** Of both halves together. */
const requestCount = requestsPerRun * runs * 2;

interface FuzzRequest {
  readonly method: Route['method'];
  readonly operation: string;
  readonly path: string;
  readonly body: string | undefined;
}

const oddSegment = fc.constantFrom(
  'x',
  '%00',
  '..%2f..',
  '%ff',
  "'",
  'a'.repeat(300),
  '00000000-0000-0000-0000-000000000000',
);

/** One request for the route: path and query from what exists and what does not, body valid, bent or broken. */
function requestFor(route: Route, uuid: fc.Arbitrary<string>): fc.Arbitrary<FuzzRequest> {
  const segments = route.path
    .split('/')
    .map((segment) =>
      segment.startsWith('{')
        ? fc.oneof({ weight: 6, arbitrary: uuid }, { weight: 1, arbitrary: oddSegment })
        : fc.constant(segment),
    );
  const query = fc.oneof(
    { weight: 3, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: fc.webQueryParameters().map((text) => `?${encodeURI(text.toWellFormed())}`) },
    { weight: 1, arbitrary: queryOf(route, uuid) },
  );
  const path = fc.tuple(fc.tuple(...segments), query).map(([parts, text]) => parts.join('/') + text);
  return fc
    .tuple(path, bodyOf(route, uuid))
    .map(([at, body]) => ({ method: route.method, operation: route.operationId, path: at, body }));
}

function queryOf(route: Route, uuid: fc.Arbitrary<string>): fc.Arbitrary<string> {
  if (route.query === undefined) return fc.constant('?a=1&a=2&__proto__=3');
  return valueOfSchema(route.query, uuid).map((value) => {
    const entries = Object.entries(value as object).map(([key, each]) => [key, String(each).toWellFormed()]);
    return `?${new URLSearchParams(entries)}`;
  });
}

function bodyOf(route: Route, uuid: fc.Arbitrary<string>): fc.Arbitrary<string | undefined> {
  if (route.method === 'GET') return fc.constant(undefined);
  const valid = route.body === undefined ? fc.constant({}) : valueOfSchema(route.body, uuid);
  return fc.oneof(
    { weight: 6, arbitrary: mutatedJson(valid) },
    { weight: 2, arbitrary: anyJson },
    { weight: 1, arbitrary: brokenJson(valid) },
  );
}

async function send(server: TestServer, { method, path, body }: FuzzRequest): Promise<void> {
  const reply = await server.api<unknown>(
    method,
    path,
    body,
    body === undefined ? {} : { 'content-type': 'application/json' },
  );
  const label = `${method} ${path.slice(0, 200)} ${body?.slice(0, 2000)} answered ${reply.status}: ${JSON.stringify(reply.body)?.slice(0, 500)}`;
  // 503: an asset or a registry is not there. Everything else of the 5xx is a defect.
  assert.ok(reply.status < 500 || reply.status === 503, label);
  // The caller's API token is right; what machines bring is not.
  if (!path.startsWith('/api/agent/')) assert.notEqual(reply.status, 401, label);
  if (reply.status < 400) return;
  const { detail } = (reply.body ?? {}) as { detail?: unknown };
  assert.ok(typeof detail === 'string' ? detail !== '' : Array.isArray(detail) && detail.length > 0, label);
}

test(`${requestCount} malformed requests over all routes: each is answered with a sentence; nothing fails or grows`, async () => {
  await using resources = new Resources();
  const { log, failures } = watchProcess(resources);
  const server = await startTestServer(resources, { log, settings: { tls: { kind: 'none' } } });
  // A stream of events has no end and no body.
  const routes = allRoutes(server.context, server.services).filter(({ path }) => path !== '/api/events');
  assert.ok(routes.length > 20, String(routes.length));
  const known: string[] = [randomUUID()];
  for (let index = 0; index < 3; index += 1) known.push(insertTestMachine(server.context).machineUuid);
  const uuid = fc.nat({ max: 1000 }).map((at) => known[at % known.length] ?? '');
  /** Objects that earlier requests made are named by later ones. */
  const learn = (): void => {
    for (const table of [
      'images',
      'roles',
      'variables',
      'secrets',
      'mesh_networks',
      'registry_credentials',
      'provisions',
    ]) {
      const rows = server.context.db.prepare(`SELECT uuid FROM ${table} ORDER BY random() LIMIT 2`).all();
      known.push(...rows.map((row) => String(row['uuid'])));
    }
    known.splice(4, Math.max(0, known.length - 40));
  };
  const seen = new Set<string>();
  let sent = 0;
  const request = fc.oneof(...routes.map((route) => requestFor(route, uuid)));
  const property = fc.asyncProperty(
    fc.array(request, { minLength: requestsPerRun, maxLength: requestsPerRun }),
    async (requests) => {
      await Promise.all(requests.map(async (each) => await send(server, each)));
      for (const { operation } of requests) seen.add(operation);
      sent += requests.length;
      learn();
      assert.equal(failures.splice(0)[0], undefined);
    },
  );
  await fc.assert(property, { numRuns: runs, endOnFailure: true });
  const half = await liveBytes();
  await fc.assert(property, { numRuns: runs, endOnFailure: true });
  const grown = (await liveBytes()) - half;
  assert.equal(sent, requestCount);
  assert.equal(seen.size, routes.length);
  assert.ok(grown < 8 * 1024 * 1024, `memory grew by ${grown} bytes in the second half`);
});
