import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, operateServer } from '../../builders/operated-server.ts';
import { PlayedMachine } from '../../builders/played-machine.ts';
import { Resources, waitFor } from '../../resources.ts';

test('machines are listed, named by hostname, UUID or its beginning, shown, changed and deleted', async () => {
  await using resources = new Resources();
  const { cli, ok, json, machine } = await operateServer(resources);
  assert.match((await cli(['machines'])).stderr, /There is no machine; .*token create/);
  const node = machine('node-1');
  const twin = machine('twin');
  machine('twin');
  await node.bootInstaller();
  await ok(['mesh-networks', 'add', 'rack', '10.42.0.0/24']);
  await ok(['roles', 'apply', '-', '--name', 'base'], '#cloud-config\n');
  const lines = (await ok(['machines'])).trimEnd().split('\n');
  assert.match(lines[0] ?? '', /^HOSTNAME +ONLINE +STATE +MESH +ROLES +UUID$/);
  assert.match(lines[1] ?? '', new RegExp(`^node-1 +● online +Discovery mode .*${node.uuid}$`));
  assert.match(lines[2] ?? '', new RegExp(`^twin +○ never +Discovery mode .*${twin.uuid}$`));
  assert.equal((await json<unknown[]>(['machines'])).length, 3);
  const change = ['--role', 'base', '--mesh', 'rack', '--target-disk', '/dev/vda', '--no-inject-agent'];
  const set = await ok(['machines', 'set', node.uuid.slice(0, 8), ...change, '--hostname', 'node-one']);
  for (const line of [
    /^Machine: +node-one/m,
    /^Roles: +base$/m,
    /^Mesh: +rack .*10\.42\.0\.1$/m,
    /^Inject agent: +no$/m,
  ]) {
    assert.match(set, line);
  }
  assert.match(await ok(['machines', 'show', 'NODE-ONE']), /^Target disk: +\/dev\/vda$/m);
  const cleared = await json<Record<string, unknown>>([
    'machines',
    'set',
    node.uuid,
    '--no-roles',
    '--mesh',
    'none',
    '--target-disk',
    'auto',
  ]);
  assert.deepEqual([cleared['role_names'], cleared['mesh_network'], cleared['target_disk']], [[], null, null]);
  assertRefused(await cli(['machines', 'set', node.uuid]), 2, /nothing is to be changed/);
  assertRefused(await cli(['machines', 'set', node.uuid, '--role', 'nope']), 2, /role_names.*\[request_invalid\]/);
  const ambiguous = await cli(['machines', 'show', 'twin']);
  assertRefused(ambiguous, 2, new RegExp(`name of 2 machines: .*${twin.uuid} \\(twin\\).*\\[object_ambiguous\\]`));
  assertRefused(await cli(['machines', 'delete', twin.uuid]), 2, /say --yes \[confirmation_required\]/);
  await ok(['machines', 'delete', twin.uuid, '--yes']);
  assert.match(await ok(['machines', 'show', 'twin']), /^Online: +never$/m);
  assertRefused(await cli(['machines', 'shwo', 'twin']), 2, /has no subcommand shwo; it has show, set/);
});

test('a machine is registered by its address, marked for network boot and unmarked', async () => {
  await using resources = new Resources();
  const { cli, ok, json } = await operateServer(resources);
  const added = await ok(['machines', 'register', '--mac', '52-54-00-AB-CD-EF', '--hostname', 'node-7']);
  assert.match(added, /^node-7 \(\S+\) is registered with 52:54:00:ab:cd:ef\.$/m);
  assert.match(await ok(['machines', 'mark', 'node-7', '--minutes', '5']), /node-7 gets the installer, until /);
  assert.match(await ok(['machines', 'show', 'node-7']), /^Network boot: +installer until /m);
  await ok(['machines', 'unmark', 'node-7']);
  const shown = await json<Record<string, unknown>>(['machines', 'show', 'node-7']);
  assert.equal(shown['install_until'], null);
  assertRefused(await cli(['machines', 'register', '--mac', 'nonsense']), 2, /macs\.0: must be the MAC address/);
});

test('the key of a second record goes to the first one', async () => {
  await using resources = new Resources();
  const { server, cli, ok, machine } = await operateServer(resources);
  const old = machine('old');
  const second = machine('second');
  assert.match(
    await ok(['adopt', 'old', '--from', 'second']),
    /^old \(\S+\) has the key of \S+ now, which is deleted\.$/m,
  );
  const identity = { ...second.identity, machineUuid: old.uuid };
  const reborn = new PlayedMachine(resources, { url: server.url, ca: server.caCertificate, identity });
  await reborn.bootInstaller();
  assertRefused(await cli(['adopt', 'old', '--from', 'second']), 2, /no machine has the .* second/);
  assertRefused(await cli(['adopt', 'old', '--from', 'old']), 2, /cannot adopt its own key/);
});

test('a machine that shows a code is seen, let in or turned away', async () => {
  await using resources = new Resources();
  const { server, cli, ok } = await operateServer(resources);
  const facts = {
    product_name: 'Rack\u001b]0;x\u0007 9',
    system_serial: 'S7',
    nics: [{ name: 'eth0', mac: '52:54:00:12:34:56' }],
  };
  const ask = async (): Promise<string> => {
    const { generateKeyPairSync } = await import('node:crypto');
    const { kty, crv, x } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
    const { body } = await server.api<{ code: string }>('POST', '/api/agent/approvals', {
      public_key: { kty, crv, x },
      facts,
    });
    return body.code;
  };
  assert.match((await cli(['approvals'])).stderr, /No machine waits/);
  const code = await ask();
  assert.match(await ok(['approvals']), /Rack\\x1b\]0;x\\x07 9 +S7 +52:54:00:12:34:56/);
  assertRefused(await cli(['approve', code]), 2, /say --yes \[confirmation_required\]/);
  const approved = await ok(['approve', code.toLowerCase(), '--yes']);
  assert.match(approved, /^Serial: +S7$/m);
  assert.match(approved, /^The machine is let in as [0-9a-f-]{36}\.$/m);
  assert.match(await ok(['deny', await ask(), '--yes']), /The machine is turned away/);
  assertRefused(await cli(['approve', code, '--yes']), 2, /no machine is waiting with this code/);
});

test('commands are given, waited for and listed; logs are printed', async () => {
  await using resources = new Resources();
  const { cli, ok, json, machine } = await operateServer(resources);
  const node = machine('node-1');
  assert.match(
    await ok(['commands', 'node-1', 'send', 'power-off']),
    /PowerOff is given .* node-1 is offline and gets it/,
  );
  assertRefused(await cli(['commands', 'node-1', 'send', 'Explode']), 2, /one of Reboot, PowerOff/);
  const agent = await node.bootInstaller();
  const [powerOff] = [await agent.next('command')];
  agent.reply(powerOff.command_uuid, 'rejected', 'not now');
  const waiting = cli(['commands', 'node-1', 'send', 'CollectLogs', '--since', '2026-11-20T00:00:00Z', '--wait']);
  const collect = await agent.next('command', 2);
  assert.deepEqual(collect.args, { since: '2026-11-20T00:00:00Z' });
  agent.sendNumbered({ type: 'log', command_uuid: collect.command_uuid, lines: ['first', 'sec\u001b[2Jond'] });
  agent.reply(collect.command_uuid, 'done');
  assert.equal((await waiting).stdout, 'CollectLogs on node-1 is done\n');
  assert.equal(await ok(['logs', 'node-1']), 'first\nsec\\x1b[2Jond\n');
  const reboot = cli(['commands', 'node-1', 'send', 'reboot', '--wait']);
  agent.reply((await agent.next('command', 3)).command_uuid, 'failed', 'the kernel refuses');
  assertRefused(await reboot, 3, /Reboot on node-1 is failed: the kernel refuses \[command_not_done\]/);
  const listed = await json<{ kind: string; status: string }[]>(['commands', 'node-1']);
  assert.deepEqual(
    listed.map(({ kind, status }) => [kind, status]),
    [
      ['PowerOff', 'rejected'],
      ['CollectLogs', 'done'],
      ['Reboot', 'failed'],
    ],
  );
});

test('--watch without a terminal prints a line for each change, and ends well when it is stopped', async () => {
  await using resources = new Resources();
  const { server, machine } = await operateServer(resources);
  const { cliEnvironment, cliMain, cliNode } = await import('../../builders/server-cli.ts');
  const node = machine('node-1');
  const env = { ...process.env, ...cliEnvironment(server) };
  const child = resources.spawn(cliNode, [cliMain, 'server', 'machines', '--watch'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let shown = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    shown += chunk.toString('utf8');
  });
  await waitFor('the first line', () => /node-1 {2}never {2}Discovery mode/.test(shown));
  await node.bootInstaller();
  await waitFor('the machine to be online', () => /node-1 {2}online {2}Discovery mode/.test(shown));
  await server.api('DELETE', `/api/provisioning/machines/${node.uuid}`);
  await waitFor('the deletion', () => new RegExp(`node-1 {2}deleted {2}${node.uuid}\n`).test(shown));
  assert.ok(!shown.includes('\x1b'), 'nothing for a terminal');
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  assert.equal(await ended, 0);
});
