import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { type BundleManifest, bundleManifestSchema } from '../../../protocol/bundle-manifest.ts';
import { writeFakeBundle } from '../../builders/agent-bundle.ts';
import { BootedMachine, linkedNamespaces } from '../../builders/booted-machine.ts';
import { MachineRoot, unpackMachineRoot } from '../../builders/machine-root.ts';
import { Resources, waitFor } from '../../resources.ts';

const repo = join(import.meta.dirname, '../../..');
const binary = join(repo, 'dist/durantic');
const serverUrl = 'https://10.99.0.1:8443';

interface Machine {
  readonly uuid: string;
  readonly is_online: boolean;
}

interface QuickStart {
  readonly machine: BootedMachine;
  readonly assetsDir: string;
  /** Calls the API as an operator would, with curl beside the server. */
  api<T>(method: string, path: string, body?: unknown): Promise<T>;
  machines(): Promise<Machine[]>;
}

/** Nothing → `durantic server run`: the built program on an empty folder, with no file but its own beside it. */
async function startEverything(resources: Resources): Promise<QuickStart> {
  const [serverNet, machineNet] = await linkedNamespaces(resources);
  const [dataDir, assetsDir] = [join(resources.tempDir(), 'data'), resources.tempDir()];
  const flags = ['--data-dir', dataDir, '--listen', '10.99.0.1:8443', '--assets', assetsDir];
  const server = resources.spawn('ip', ['netns', 'exec', serverNet, binary, 'server', 'run', ...flags], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let printed = '';
  server.stdout?.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  await waitFor('the server to be ready', () => printed.includes(' is ready\n'), { timeoutMs: 30_000 });
  const adminToken = /dur_[\w-]{43}/.exec(printed)?.[0] ?? '';
  const api = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const json = body === undefined ? [] : ['-H', 'content-type: application/json', '-d', JSON.stringify(body)];
    const call = ['curl', '-sS', '--fail-with-body', '--cacert', join(dataDir, 'ca.crt'), '-X', method, '-H', '@-'];
    const { stdout } = await runCommand('ip', ['netns', 'exec', serverNet, ...call, ...json, `${serverUrl}${path}`], {
      input: `authorization: Bearer ${adminToken}\n`,
    });
    return JSON.parse(stdout) as T;
  };
  const root = await MachineRoot.mount(resources, await unpackMachineRoot(resources));
  const machine = await BootedMachine.boot(resources, root, machineNet);
  return { machine, assetsDir, api, machines: async () => await api<Machine[]>('GET', '/api/provisioning/machines/') };
}

test('from nothing to a machine in the list, twice, and back from an agent that does not run', async () => {
  await using resources = new Resources();
  const { machine, assetsDir, api, machines } = await startEverything(resources);
  const shown = async (line: string): Promise<string> => (await machine.run(line)).stdout.trim();
  const agentPid = async (): Promise<string> => await shown('systemctl show -P MainPID durantic-agent');

  const made = await api<{ token: string; install_command: string }>('POST', '/api/provisioning/bootstrap-tokens/', {});
  assert.match(
    made.install_command,
    /^curl -k --pinnedpubkey 'sha256\/\/\S+' -sfL https:\/\/10\.99\.0\.1:8443\/install\.sh \| DURANTIC_TOKEN=\S+ bash -$/,
  );
  const first = await machine.run(made.install_command);
  assert.equal(first.exitCode, 0, first.stderr);
  assert.doesNotMatch(first.stdout + first.stderr, new RegExp(made.token.slice(-20)));
  const [listed, ...others] = await machines();
  assert.ok(listed !== undefined && others.length === 0);
  assert.ok(first.stdout.includes(`this machine is enrolled with ${serverUrl} as ${listed.uuid}\n`), first.stdout);
  assert.match(first.stdout, /durantic-agent\.service is enabled and running\n$/);
  const online = async (): Promise<boolean> => (await machines())[0]?.is_online === true;
  await waitFor('the machine to be online', online, { timeoutMs: 30_000, intervalMs: 500 });
  assert.match(
    await shown('systemctl show -P StatusText durantic-agent'),
    /^connected to https:\/\/10\.99\.0\.1:8443 as /,
  );
  await assertInstalled(machine);
  const everywhere = `grep -rlF ${made.token.slice(-40)} /etc /var /usr/local /run /tmp; journalctl -a | grep -cF ${made.token.slice(-40)}`;
  assert.equal(await shown(everywhere), '0', 'the token is somewhere on the machine');

  const pid = await agentPid();
  const identity = await shown('cat /var/lib/durantic/identity.json');
  const second = await machine.run(made.install_command);
  assert.equal(second.exitCode, 0, second.stderr);
  assert.match(second.stdout, /replaced in \/usr\/local\/lib\/durantic/);
  assert.notEqual(await agentPid(), pid);
  assert.equal(await shown('cat /var/lib/durantic/identity.json'), identity);
  assert.deepEqual(
    (await machines()).map(({ uuid }) => uuid),
    [listed.uuid],
  );

  // Updates whose agent never is ready, or ends a moment after it was: the one that was there runs again.
  const update = made.install_command.replace(/DURANTIC_TOKEN=\S+/, '');
  for (const [run, what] of [
    ['{ sleep 1.5; exit 1; }', 'start'],
    ['{ systemd-notify --ready; sleep 0.5; exit 1; }', 'keep running'],
  ]) {
    const agent = await agentPid();
    const program = `[ "$1" = version ] && echo "durantic 9.9.9 (broken)" || ${run}`;
    await writeFakeBundle(resources, assetsDir, { program });
    const failed = await machine.run(update);
    assert.equal(failed.exitCode, 1);
    assert.match(
      failed.stderr,
      new RegExp(`durantic: the service does not ${what}: journalctl -u durantic-agent\\.service says why\n`),
    );
    assert.notEqual(await agentPid(), agent);
    await waitFor('the old agent', async () => (await shown('systemctl is-active durantic-agent')) === 'active');
  }
  await assertInstalled(machine);
  await waitFor('the old agent to be online', online, { timeoutMs: 30_000, intervalMs: 500 });
  rmSync(join(assetsDir, 'durantic-linux-x64.tar.gz'));
  const repaired = await machine.run(update);
  assert.match(repaired.stdout, new RegExp(`this machine stays enrolled as ${listed.uuid}\n`), repaired.stderr);
});

/** The same files, modes and links that agent injection makes, and nothing beside them. */
async function assertInstalled(machine: BootedMachine): Promise<void> {
  const manifest: BundleManifest = bundleManifestSchema.parse(
    JSON.parse(readFileSync(join(repo, 'dist/bundle/manifest.json'), 'utf8')),
  );
  const lines = manifest.files.map(({ path, mode, sha256 }) => `${sha256} ${mode.slice(1)} root ${path}`);
  const manifestSha256 = createHash('sha256')
    .update(readFileSync(join(repo, 'dist/bundle/manifest.json')))
    .digest('hex');
  const expected = [...lines, `${manifestSha256} 644 root manifest.json`].sort();
  const list = `cd /usr/local/lib/durantic && find * -type f -exec sh -c 'echo $(sha256sum "$1" | cut -c-64) $(stat -c "%a %U" "$1") "$1"' - {} ';'`;
  const { stdout } = await machine.run(list);
  assert.deepEqual(stdout.trim().split('\n').sort(), expected);
  const state = await machine.run(`ls -A /usr/local/lib /usr/local/bin; readlink /usr/local/bin/durantic
    systemctl is-enabled durantic-agent; systemctl is-active durantic-agent; cat /etc/systemd/system/durantic-agent.service
    stat -c '%n %a' /var/lib/durantic /var/lib/durantic/identity.json /etc/durantic/agent.yaml`);
  const unit = readFileSync(join(repo, 'installer/durantic-agent.service'), 'utf8');
  assert.equal(
    state.stdout,
    `/usr/local/bin:\ndurantic\n\n/usr/local/lib:\ndurantic\n../lib/durantic/durantic\nenabled\nactive\n${unit}` +
      '/var/lib/durantic 700\n/var/lib/durantic/identity.json 600\n/etc/durantic/agent.yaml 600\n',
  );
}
