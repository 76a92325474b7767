import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { runCommand } from '../../../core/base/run-command.ts';
import { distDir } from '../../../scripts/build/paths.ts';
import { startServerProcess } from '../../builders/server.ts';
import { Resources } from '../../resources.ts';

const binary = join(distDir, 'durantic');

test('the built program has the whole server: own TLS, REST, templates in their thread, sockets, drain', async () => {
  await using resources = new Resources();
  const server = await startServerProcess(resources, { binary });
  const machine = await server.api('POST', '/api/provisioning/known-machines/', { mac: '52:54:00:12:34:56' });
  assert.equal(machine.status, 201);
  const draft = { name: 'web', template_data: '#cloud-config\nfqdn: {{ role.name }}.example\n' };
  const preview = await server.api('POST', '/api/controlplane/machine-roles/preview', {
    machine_uuid: machine.body['uuid'],
    draft,
  });
  assert.match(String(preview.body['user_data']), /fqdn: web\.example/);
  const agent = new WebSocket(`${server.url.replace('https', 'wss')}/api/agent/connect`, { ca: server.caCertificate });
  const [challenge] = (await once(agent, 'message')) as [Buffer];
  assert.match(challenge.toString(), /"type":"challenge"/);
  const script = await (await server.fetch('/install.sh')).text();
  assert.ok(script.startsWith('#!') && script.includes(server.url));
  assert.deepEqual(await server.kill('SIGTERM'), { code: 0, signal: null });
  assert.match(server.output().stderr, /the server has stopped/);
});

test('the built program shares errors with the script of the server: their codes decide the exit code', async () => {
  await using resources = new Resources();
  const run = async (args: readonly string[], exitCode: number): Promise<string> =>
    (await runCommand(binary, ['server', ...args], { okExitCodes: [exitCode] })).stderr;
  const nowhere = join(resources.tempDir(), 'none');
  assert.match(
    await run(['backup', '/dev/null/x', '--data-dir', nowhere], 3),
    /\[data_dir_unusable\]\n$|\[backup_failed\]\n$/,
  );
  assert.match(await run(['run'], 2), /--data-dir is needed.*\[usage\]\n$/);
  assert.match(await run(['nonsense'], 2), /unknown command 'nonsense' \[usage\]\n$/);
});
