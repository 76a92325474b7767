import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Provision } from '../../../protocol/api/provisions.ts';
import { applyDeployment, playInstallation, playMachine, startRack } from '../../builders/deployment.ts';
import { minuteMs } from '../../builders/run-inputs.ts';
import { startTestServer } from '../../builders/server.ts';
import { FakeClock, passTime } from '../../builders/server-context.ts';
import { Resources } from '../../resources.ts';

test('durantic_machine_deployment: PATCH, provision, poll, completed, refresh', { timeout: 60_000 }, async () => {
  await using resources = new Resources();
  const { server, machine, meshUuid, digest } = await startRack(resources);
  const deployment = {
    role_names: ['web', 'base'],
    mesh_network_uuid: meshUuid,
    tunnel_type: 'wireguard',
    stun_enabled: true,
    auto_update: true,
    inject_agent: true,
    target_disk: '/dev/sda',
    kexec_installer: false,
  };
  const applying = applyDeployment(server, machine.uuid, deployment);
  const { args } = await machine.take();
  assert.equal(args.image.digest, digest);
  assert.match(args.user_data ?? '', /hostname: new-machine/);
  assert.match(args.user_data ?? '', /vim/);
  await machine.install(args.provision_uuid);
  machine.off();
  await machine.bootInstalled(args.provision_uuid);
  await machine.cloudInit(args.provision_uuid, 'done');
  const applied = await applying;
  assert.equal(applied.provisionUuid, args.provision_uuid);
  assert.ok(applied.polls > 1);
  const { mesh_network, role_names, needs_provisioning, is_online, is_in_initrd, mesh_ip_address } = applied.machine;
  assert.deepEqual(role_names, deployment.role_names, 'in the order set');
  assert.equal(mesh_network?.uuid, meshUuid);
  assert.deepEqual([is_online, is_in_initrd, needs_provisioning, mesh_ip_address], [true, false, false, '10.40.0.1']);
  assert.equal(applied.machine.wg_ip_address, mesh_ip_address);
  for (const field of [
    'tunnel_type',
    'stun_enabled',
    'auto_update',
    'inject_agent',
    'target_disk',
    'kexec_installer',
  ] as const) {
    assert.equal(applied.machine[field], deployment[field], field);
  }
});

test('a deployment whose installation fails says why, and the next apply runs anew', { timeout: 60_000 }, async () => {
  await using resources = new Resources();
  const { server, machine } = await startRack(resources);
  const failing = applyDeployment(server, machine.uuid, { role_names: ['web'] });
  const refused = assert.rejects(failing, /Provision Failed \(error\): the installation failed/);
  await machine.result((await machine.take()).args.provision_uuid, 'failed');
  await refused;
  const again = applyDeployment(server, machine.uuid, { role_names: ['web'] });
  await machine.cloudInit(await playInstallation(machine, 2), 'done');
  assert.equal((await again).status, 'completed');
  const { body } = await server.api<Provision[]>('GET', `/api/provisioning/machines/${machine.uuid}/provisions/`);
  assert.deepEqual(
    body.map(({ status }) => status),
    ['completed', 'error'],
    'newest first',
  );
});

test('a deployment that cloud-init does not finish is degraded, which fails the apply', {
  timeout: 60_000,
}, async () => {
  await using resources = new Resources();
  const { server, machine } = await startRack(resources);
  const refused = assert.rejects(
    applyDeployment(server, machine.uuid, { role_names: ['web'] }),
    /Provision Failed \(degraded\).*module packages failed/,
  );
  await machine.cloudInit(await playInstallation(machine), 'error', ['module packages failed']);
  await refused;
});

test('a deployment whose template fails is render_failed with role and line', { timeout: 60_000 }, async () => {
  await using resources = new Resources();
  const { server, machine } = await startRack(resources);
  await assert.rejects(
    applyDeployment(server, machine.uuid, { role_names: ['broken'] }),
    /Provision Failed \(render_failed\): role broken, line 2: .*NONE/,
  );
  assert.equal(machine.agent.all('command').length, 0);
});

test('a deployment of a silent machine times out', { timeout: 60_000 }, async () => {
  await using resources = new Resources();
  const clock = new FakeClock(Date.now());
  const { server, machine } = await startRack(resources, { clock });
  const refused = assert.rejects(
    applyDeployment(server, machine.uuid, { role_names: ['web'] }),
    /Provision Failed \(timeout\): the installer is connected but has said nothing for 15 minutes/,
  );
  await machine.take();
  await passTime(clock, 15 * minuteMs, async () => await server.services.provisions.tick());
  await refused;
});

test('a deployment that an operator cancels fails; a second provision meanwhile is 409', {
  timeout: 60_000,
}, async () => {
  await using resources = new Resources();
  const { server, machine } = await startRack(resources);
  const refused = assert.rejects(
    applyDeployment(server, machine.uuid, { role_names: ['web'] }),
    /Provision Failed \(canceled\)/,
  );
  const { provision_uuid: provisionUuid } = (await machine.take()).args;
  const item = `/api/provisioning/machines/${machine.uuid}`;
  const second = await server.api<{ detail: string }>('POST', `${item}/provision`, { mode: 'rebuild' });
  assert.equal(second.status, 409);
  assert.match(second.body.detail, new RegExp(provisionUuid));
  assert.equal((await server.api('POST', `${item}/provision`, { mode: 'clear' })).status, 409);
  assert.equal((await server.api('DELETE', item)).status, 409, 'a machine that is being installed is not forgotten');
  const asked = await server.api<Provision>('POST', `${item}/provisions/${provisionUuid}/cancel`);
  assert.deepEqual([asked.status, asked.body.status], [200, 'in_progress']);
  assert.equal((await machine.agent.next('command', 2)).kind, 'CancelProvision');
  await machine.result(provisionUuid, 'aborted');
  await refused;
  assert.equal((await server.api('POST', `${item}/provisions/${provisionUuid}/cancel`)).status, 409);
});

test('a server that is started again in the middle of a deployment ends it all the same', {
  timeout: 60_000,
}, async () => {
  await using resources = new Resources();
  const { server, machine } = await startRack(resources);
  const item = `/api/provisioning/machines/${machine.uuid}`;
  await server.api('PATCH', item, { role_names: ['web'] });
  await server.api('POST', `${item}/provision`, {});
  const { args } = await machine.take();
  await machine.tell(args.provision_uuid, { percent: 33 });
  const bootId = machine.agent.bootId;
  await server.close();
  const next = await startTestServer(resources, {
    settings: { dataDir: server.dataDir },
    adminToken: server.adminToken,
  });
  const run = async (): Promise<Provision> =>
    (await next.api<Provision>('GET', `${item}/provisions/${args.provision_uuid}`)).body;
  assert.deepEqual([(await run()).status, (await run()).progress_percent], ['in_progress', 33]);
  const again = playMachine(resources, next, machine.identity);
  const agent = await again.boot({ mode: 'installer', boot_id: bootId, last_event_seq: 2 });
  assert.equal((await agent.next('command')).command_uuid, machine.agent.all('command')[0]?.command_uuid);
  await again.install(args.provision_uuid);
  await again.bootInstalled(args.provision_uuid);
  await again.cloudInit(args.provision_uuid, 'done');
  assert.equal((await run()).status, 'completed');
});

test('the history of a run is whole, in order, and can be read on from where one was', {
  timeout: 60_000,
}, async () => {
  await using resources = new Resources();
  const { server, machine } = await startRack(resources);
  const applying = applyDeployment(server, machine.uuid, { role_names: ['web'] });
  const provisionUuid = await playInstallation(machine);
  await machine.cloudInit(provisionUuid, 'absent');
  await applying;
  const path = `/api/provisioning/machines/${machine.uuid}/provisions/${provisionUuid}/events`;
  const all = (await server.api<{ id: number; kind: string; event: Record<string, unknown> }[]>('GET', path)).body;
  const kinds = all.map(({ kind }) => kind);
  assert.deepEqual(
    [kinds.filter((kind) => kind === 'provision_event').length, kinds.filter((kind) => kind === 'server').length],
    [15, 3],
  );
  assert.deepEqual([kinds[0], all[0]?.event['status']], ['server', 'queued']);
  assert.deepEqual([kinds.at(-1), all.at(-1)?.event['status']], ['server', 'completed']);
  assert.ok(kinds.includes('provision_result') && kinds.includes('cloud_init_result'));
  const rest = await server.api('GET', `${path}?after=${all[9]?.id}`);
  assert.deepEqual(rest.body, all.slice(10));
});
