import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { build } from 'esbuild';
import { agentUnit } from '../../../agent/rootfs/agent-unit.ts';
import { BootedMachine, linkedNamespaces } from '../../builders/booted-machine.ts';
import { MachineRoot, unpackMachineRoot } from '../../builders/machine-root.ts';
import { Resources, waitFor } from '../../resources.ts';

const repo = join(import.meta.dirname, '../../..');
const service = 'durantic-agent.service';

/** The agent as one script that needs no folder of this repository: nothing of it may be mounted into a machine. */
async function bundleAgent(outfile: string): Promise<void> {
  const contents = `import { agentCommand } from './cli/agent.ts';
    await agentCommand().parseAsync(process.argv.slice(3), { from: 'user' });`;
  const js = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
  const source = { stdin: { contents, resolveDir: repo }, banner: { js } };
  await build({ ...source, outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' });
}

/** A machine with the unit as it is shipped and the agent of this source. */
async function machineWithAgent(resources: Resources): Promise<BootedMachine> {
  const root = await MachineRoot.mount(resources, await unpackMachineRoot(resources));
  const copy = (from: string, to: string): void => {
    mkdirSync(dirname(join(root.path, to)), { recursive: true });
    copyFileSync(realpathSync(from), join(root.path, to));
  };
  for (const library of ['libatomic.so.1', 'libstdc++.so.6', 'libgcc_s.so.1']) {
    copy(`/usr/lib/x86_64-linux-gnu/${library}`, `opt/lib/${library}`);
  }
  copy(process.execPath, 'opt/node');
  copy(join(repo, 'dist/assets/durantic-native.node'), 'opt/dist/assets/durantic-native.node');
  await bundleAgent(join(root.path, 'opt/agent/script/agent.mjs'));
  const program = `#!/bin/sh\nexport LD_LIBRARY_PATH=/opt/lib\nexec /opt/node /opt/agent/script/agent.mjs "$@"\n`;
  writeFileSync(join(root.path, 'usr/local/bin/durantic'), program, { mode: 0o755 });
  writeFileSync(join(root.path, 'etc/systemd/system', service), agentUnit);
  const [, machineNet] = await linkedNamespaces(resources);
  return await BootedMachine.boot(resources, root, machineNet);
}

test('systemd takes the unit, waits until the agent is ready, shows how it is, and starts one that hangs again', {
  timeout: 180_000,
}, async () => {
  await using resources = new Resources();
  const machine = await machineWithAgent(resources);
  const shown = async (property: string): Promise<string> =>
    (await machine.run(`systemctl show -P ${property} ${service}`)).stdout.trim();

  const verified = await machine.run(`systemd-analyze verify /etc/systemd/system/${service}`);
  assert.deepEqual(verified, { exitCode: 0, stdout: '', stderr: '' });

  // Two minutes are too long for a test.
  const dropIn = `/run/systemd/system/${service}.d`;
  const short = `mkdir -p ${dropIn} && printf '[Service]\\nWatchdogSec=4\\n' >${dropIn}/test.conf && systemctl daemon-reload`;
  assert.equal((await machine.run(short)).exitCode, 0);
  const started = await machine.run(`systemctl start ${service}`);
  assert.equal(started.exitCode, 0, `${started.stderr}${(await machine.run(`journalctl -u ${service}`)).stdout}`);
  assert.equal(await shown('SubState'), 'running');
  await waitFor('the status', async () => (await shown('StatusText')).startsWith('not enrolled: waiting for /etc/'));
  const [pid, firstStart] = [await shown('MainPID'), await shown('ExecMainStartTimestampMonotonic')];
  const aWhile = Date.now() + 6000;
  await waitFor('one and a half watchdog periods', () => Date.now() > aWhile);
  assert.equal(await shown('ExecMainStartTimestampMonotonic'), firstStart, 'a healthy agent was killed');

  assert.equal((await machine.run(`kill -STOP ${pid}`)).exitCode, 0);
  const isNew = async (): Promise<boolean> => {
    const now = await shown('MainPID');
    return now !== pid && now !== '0' && (await shown('SubState')) === 'running';
  };
  await waitFor('another agent', isNew, { timeoutMs: 60_000, intervalMs: 500 });
  assert.match((await machine.run(`journalctl --no-pager -u ${service}`)).stdout, /Watchdog timeout/);

  assert.equal((await machine.run(`systemctl stop ${service}`)).exitCode, 0);
  assert.deepEqual([await shown('ActiveState'), await shown('Result')], ['inactive', 'success']);

  const neverReady = `printf '#!/bin/sh\\nexec sleep 1\\n' >/usr/local/bin/durantic && systemctl start ${service}`;
  assert.equal((await machine.run(neverReady)).exitCode, 1, 'an agent that never was ready passed for started');
  assert.equal(await shown('Result'), 'protocol');
});
