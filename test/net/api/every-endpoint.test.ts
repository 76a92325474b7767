import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeIsoBlock } from '../../../core/boot-block/iso-block.ts';
import { ApiConformance } from '../../builders/api-conformance.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { connectTestAgent, makeTestIdentity, type TestIdentity } from '../../builders/test-agent.ts';
import { Resources, waitFor } from '../../resources.ts';
import { collections } from './collections.ts';
import { walkCollection } from './walk-collection.ts';

type Row = Record<string, unknown>;

/** A server with downloads to offer; the bytes do not matter here. */
async function startWalkedServer(resources: Resources): Promise<TestServer> {
  const assetsDir = resources.tempDir();
  const block = encodeIsoBlock({ server: 'https://elsewhere.test' });
  writeFileSync(join(assetsDir, 'vmlinuz'), 'kernel');
  writeFileSync(join(assetsDir, 'installer.iso'), Buffer.concat([Buffer.alloc(32_768), block, Buffer.alloc(2048)]));
  writeFileSync(join(assetsDir, 'durantic-linux-x64.tar.gz'), 'bundle');
  return await startTestServer(resources, { settings: { assetsDir } });
}

async function conformanceOf(
  server: TestServer,
  headers: Readonly<Record<string, string>> = {},
): Promise<ApiConformance> {
  const { body: document } = await server.api('GET', '/api/openapi.json');
  return new ApiConformance(document, async (method, path, body) => {
    const reply = await server.api(method, path, body, headers);
    return { status: reply.status, body: reply.body ?? undefined };
  });
}

test('every endpoint answers as the OpenAPI document says, in every documented success', {
  timeout: 120_000,
}, async () => {
  await using resources = new Resources();
  const server = await startWalkedServer(resources);
  const api = await conformanceOf(server);
  for (const walk of collections) await walkCollection(api, walk);
  await walkAccount(api);
  await walkTokens(api);
  const identity = await walkEnrolment(api);
  await walkMachine(api, identity.machineUuid);
  await walkWithAgent(api, server, identity);
  await walkDownloads(api);
  // A stream without an end: its own test reads it (live-events.test.ts).
  assert.deepEqual(api.unseen(), ['live_api_stream_events 200']);
});

async function walkAccount(api: ApiConformance): Promise<void> {
  const path = '/api/controlplane/account';
  const before = (await api.call('GET', `${path}/`, 200)) as Row;
  assert.deepEqual(await api.call('PATCH', path, 200, { name: 'rack 7' }), { ...before, name: 'rack 7' });
  assert.deepEqual(await api.call('PATCH', path, 200, {}), { ...before, name: 'rack 7' });
  await api.call('PATCH', path, 422, { name: null });
  await api.call('PATCH', path, 422, { default_image_uuid: randomUUID() });
  const image = (await api.call('POST', '/api/provisioning/images/', 201, {
    name: 'default',
    docker_image_url: 'registry.test/default:1',
  })) as Row;
  const changed = (await api.call('PATCH', path, 200, { default_image_uuid: image['uuid'] })) as Row;
  assert.equal(changed['default_image_uuid'], image['uuid']);
  assert.equal(((await api.call('PATCH', path, 200, { default_image_uuid: null })) as Row)['default_image_uuid'], null);
  await api.call('DELETE', `/api/provisioning/images/${String(image['uuid'])}`, 204);
}

async function walkTokens(api: ApiConformance): Promise<void> {
  const tokens = '/api/controlplane/api-tokens/';
  const made = (await api.call('POST', tokens, 201, { name: 'terraform' })) as Row;
  assert.match(String(made['token']), /^dur_/);
  const listed = (await api.call('GET', tokens, 200)) as Row[];
  assert.ok(listed.some(({ uuid }) => uuid === made['uuid']));
  assert.ok(!JSON.stringify(listed).includes(String(made['token'])), 'a token is shown once');
  await api.call('DELETE', `${tokens}${String(made['uuid'])}`, 204);
  await api.call('DELETE', `${tokens}${String(made['uuid'])}`, 404);
  for (const lifetime of ['10m', '1d', '7d', '30d', '90d', '365d']) {
    await api.call('POST', '/api/provisioning/bootstrap-tokens/', 201, { lifetime });
  }
  for (const lifetime of ['11m', '2d', '1y', 600, null]) {
    await api.call('POST', '/api/provisioning/bootstrap-tokens/', 422, { lifetime });
  }
  const keys = '/api/provisioning/bootstrap-keys/';
  const before = (await api.call('GET', keys, 200)) as Row[];
  await api.call('POST', keys, 201, {});
  await api.call('DELETE', `${keys}${String(before[0]?.['kid'])}`, 204);
  await api.call('DELETE', `${keys}${String(before[0]?.['kid'])}`, 404);
}

/** Enrols by token and by approval code; the machine of the token is walked on. */
async function walkEnrolment(api: ApiConformance): Promise<TestIdentity> {
  const { token } = (await api.call('POST', '/api/provisioning/bootstrap-tokens/', 201, {})) as { token: string };
  const identity = makeTestIdentity();
  const body = {
    token,
    public_key: { kty: 'OKP', crv: 'Ed25519', x: identity.publicKey },
    facts: { hostname: 'walked' },
  };
  const { machine_uuid } = (await api.call('POST', '/api/agent/enroll', 201, body)) as { machine_uuid: string };
  const again = (await api.call('POST', '/api/agent/enroll/', 200, body)) as { machine_uuid: string };
  assert.equal(again.machine_uuid, machine_uuid, 'the same key is the same machine');
  await api.call('POST', '/api/agent/enroll', 401, { ...body, token: 'none' });
  await api.call('POST', '/api/agent/enroll', 422, { token });
  await api.call('GET', '/api/agent/ca', 200);

  const other = makeTestIdentity();
  const request = { public_key: { kty: 'OKP', crv: 'Ed25519', x: other.publicKey }, facts: {} };
  const approval = (await api.call('POST', '/api/agent/approvals', 201, request)) as {
    approval_id: string;
    code: string;
  };
  const status = `/api/agent/approvals/${approval.approval_id}`;
  assert.equal(((await api.call('GET', status, 200)) as Row)['status'], 'pending');
  const unknown = (await api.call('GET', `/api/agent/approvals/${'A'.repeat(43)}`, 200)) as Row;
  assert.equal(unknown['status'], 'expired', 'the machine asks anew');
  const approvals = '/api/provisioning/approvals/';
  const listed = (await api.call('GET', approvals, 200)) as Row[];
  assert.ok(!JSON.stringify(listed).includes(approval.code), 'the list does not know the code');
  await api.call('POST', approvals, 200, { code: approval.code, action: 'preview' });
  await api.call('POST', approvals, 404, { code: '333-333' });
  await api.call('POST', approvals, 200, { code: approval.code });
  const approved = (await api.call('GET', status, 200)) as { status: string; machine_uuid: string };
  assert.equal(approved.status, 'approved');
  await api.call('POST', `/api/provisioning/machines/${machine_uuid}/adopt`, 422, { from: randomUUID() });
  await api.call('POST', `/api/provisioning/machines/${machine_uuid}/adopt`, 200, { from: approved.machine_uuid });
  await api.call('GET', `/api/provisioning/machines/${approved.machine_uuid}`, 404);
  return { ...other, machineUuid: machine_uuid };
}

async function walkMachine(api: ApiConformance, uuid: string): Promise<void> {
  const machines = '/api/provisioning/machines';
  const item = `${machines}/${uuid}`;
  await api.call('GET', item, 200);
  await api.call('GET', `${machines}/`, 200);
  await api.call('GET', `${item}/events/`, 200);
  await api.call('GET', `${machines}/${randomUUID()}`, 404);
  await api.call('PATCH', item, 422, { role_names: ['no such role'] });
  await api.call('PATCH', item, 422, { stun_enabled: null });
  const mesh = (await api.call('POST', '/api/controlplane/mesh-networks/', 201, {
    name: 'walk',
    network_cidr: '10.77.0.0/24',
  })) as Row;
  const roles = ['b', 'a', 'c'];
  for (const name of roles) await api.call('POST', '/api/controlplane/machine-roles/', 201, { name });
  const changes: Row = {
    mesh_network_uuid: mesh['uuid'],
    tunnel_type: 'wireguard',
    stun_enabled: true,
    auto_update: true,
    inject_agent: false,
    target_disk: '/dev/sda',
    kexec_installer: true,
    role_names: roles,
  };
  let now = (await api.call('GET', item, 200)) as Row;
  for (const [field, value] of Object.entries(changes)) {
    const next = (await api.call('PATCH', item, 200, { [field]: value })) as Row;
    const shown = field === 'mesh_network_uuid' ? (next['mesh_network'] as Row)['uuid'] : next[field];
    assert.deepEqual(shown, value, field);
    for (const other of Object.keys(changes).filter((name) => name !== field && name !== 'mesh_network_uuid')) {
      assert.deepEqual(next[other], now[other], `${field} changed ${other}`);
    }
    now = next;
  }
  assert.equal(now['mesh_ip_address'], '10.77.0.1');
  const listed = ((await api.call('GET', machines, 200)) as Row[]).find((row) => row['uuid'] === uuid);
  assert.equal(listed?.['mesh_network_uuid'], mesh['uuid'], 'the list has the network flat');
  assert.ok(listed !== undefined && !('target_disk' in listed) && !('discovered_ip_addresses' in listed));
  assert.deepEqual(((await api.call('PATCH', item, 200, { role_names: [] })) as Row)['role_names'], []);
  const cleared = (await api.call('PATCH', item, 200, { mesh_network_uuid: null, target_disk: null })) as Row;
  assert.deepEqual([cleared['mesh_network'], cleared['mesh_ip_address'], cleared['target_disk']], [null, null, null]);
  const known = (await api.call('POST', '/api/provisioning/known-machines/', 201, { mac: '52:54:00:00:00:77' })) as Row;
  await api.call('POST', '/api/provisioning/known-machines/', 409, { mac: '52-54-00-00-00-77' });
  await api.call('POST', '/api/provisioning/known-machines/', 422, {});
  const mark = `${machines}/${String(known['uuid'])}/install-mark`;
  await api.call('POST', mark, 200, { minutes: 5 });
  await api.call('DELETE', mark, 204);
  await api.call('POST', `${machines}/${String(known['uuid'])}/commands/`, 409, { kind: 'Reboot' });
  await api.call('DELETE', `${machines}/${String(known['uuid'])}`, 204);
  await api.call('DELETE', `${machines}/${String(known['uuid'])}`, 404);
}

async function walkWithAgent(api: ApiConformance, server: TestServer, identity: TestIdentity): Promise<void> {
  const item = `/api/provisioning/machines/${identity.machineUuid}`;
  const agent = await connectTestAgent({
    url: server.url,
    ca: server.caCertificate,
    identity,
    onCommand: () => ['accepted', 'done'],
  });
  try {
    const command = (await api.call('POST', `${item}/commands/`, 201, { kind: 'CollectLogs' })) as Row;
    const path = `${item}/commands/${String(command['uuid'])}`;
    const ended = await waitFor('the outcome of the command', async () => {
      const row = (await api.call('GET', path, 200)) as Row;
      return row['is_terminal'] === true && row;
    });
    assert.equal(ended['status'], 'done');
    assert.deepEqual(await api.call('GET', `${item}/commands`, 200), [ended]);
    await api.call('POST', `${item}/commands/`, 422, { kind: 'ProvisionMachine' });
    await api.call('POST', `${item}/commands/`, 422, { kind: 'MakeCoffee' });
    await api.call('GET', `${item}/commands/${randomUUID()}`, 404);
    await api.call('GET', `${item}/logs/`, 200);
    await api.call('GET', `${item}/cloud-init`, 200);
    await api.call('POST', '/api/controlplane/machine-roles/preview', 200, { machine_uuid: identity.machineUuid });
    await walkProvision(api, item);
  } finally {
    agent.socket.terminate();
  }
}

async function walkProvision(api: ApiConformance, item: string): Promise<void> {
  await api.call('POST', `${item}/provision`, 422, { mode: 'rebuild' });
  await api.call('POST', `${item}/provision`, 422, { mode: 'destroy' });
  const image = (await api.call('POST', '/api/provisioning/images/', 201, {
    name: 'unreachable',
    docker_image_url: '127.0.0.1:1/none:1',
  })) as Row;
  await api.call('PATCH', '/api/controlplane/account', 200, { default_image_uuid: image['uuid'] });
  const { provision_uuid } = (await api.call('POST', `${item}/provision/`, 200, { mode: 'rebuild' })) as Row;
  await api.call('POST', `${item}/provision`, 409, { mode: 'rebuild' });
  const run = `${item}/provisions/${String(provision_uuid)}`;
  const { is_terminal, status } = (await api.call('GET', run, 200)) as Row;
  assert.deepEqual([is_terminal, status], [false, 'queued'], 'the registry is not there: it waits');
  await api.call('GET', `${run}/events`, 200);
  const list = (await api.call('GET', `${item}/provisions/`, 200)) as Row[];
  assert.deepEqual(
    list.map(({ uuid }) => uuid),
    [provision_uuid],
  );
  await api.call('GET', `${item}/provisions/${randomUUID()}`, 404);
  await api.call('POST', `${run}/cancel`, 200, {});
  assert.equal(((await api.call('GET', run, 200)) as Row)['status'], 'canceled');
}

async function walkDownloads(api: ApiConformance): Promise<void> {
  for (const path of [
    '/healthz',
    '/metrics',
    '/api/openapi.json',
    '/install.sh',
    '/download/durantic-linux-x64.tar.gz',
    '/download/durantic-linux-x64.tar.gz.sha256',
    '/boot/vmlinuz',
    '/boot/vmlinuz.sha256',
    '/boot/installer.iso',
    '/boot/ipxe',
  ]) {
    await api.call('GET', path, 200);
  }
}

test('without an API token, or with a wrong one, every endpoint of the operator answers 401', async () => {
  await using resources = new Resources();
  const server = await startWalkedServer(resources);
  const { body: document } = await server.api<{ paths: Record<string, Record<string, { security?: unknown }>> }>(
    'GET',
    '/api/openapi.json',
  );
  for (const authorization of ['', 'Bearer dur_wrong', `Basic ${server.adminToken}`, server.adminToken]) {
    const api = await conformanceOf(server, { authorization });
    for (const { method, path, operationId } of api.operations) {
      if (document.paths[path]?.[method.toLowerCase()]?.security === undefined) continue;
      const address = path.replaceAll(/\{\w+\}/g, () => randomUUID());
      const body = method === 'GET' || method === 'DELETE' ? undefined : {};
      await api.call(method, address, 401, body);
      assert.ok(api.seen.has(`${operationId} 401`));
    }
    assert.ok(api.seen.size > 50, `${api.seen.size} endpoints want a token`);
  }
});

test('an address that does not exist, bodies that are no JSON, and wrong methods are answered, not redirected', async () => {
  await using resources = new Resources();
  const server = await startWalkedServer(resources);
  const variables = '/api/controlplane/variables/';
  assert.equal((await server.api('GET', '/api/no/such/thing')).status, 404);
  assert.equal((await server.api('PUT', variables, {})).status, 404);
  assert.equal((await server.api('POST', variables, '{"name": ', { 'content-type': 'application/json' })).status, 400);
  assert.equal((await server.api('POST', variables, '[]', { 'content-type': 'application/json' })).status, 422);
  assert.equal((await server.api('POST', variables, 'name=x', { 'content-type': 'text/plain' })).status, 422);
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  assert.equal((await server.api('POST', variables, 'name=x', form)).status, 400);
  const large = { name: 'x', value: 'y'.repeat(2 * 1024 * 1024) };
  assert.equal((await server.api('POST', variables, large)).status, 413);
  for (const path of [variables, variables.slice(0, -1)]) {
    assert.equal((await server.api('GET', path)).status, 200, path);
  }
});
