import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sealToken } from '../../../control-plane/enrolment/bootstrap-token.ts';
import { writeFakeBundle } from '../../builders/agent-bundle.ts';
import { MachineRoot, type Outcome } from '../../builders/machine-root.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { Resources, waitFor } from '../../resources.ts';
import { type Bench, chrootMachine, goodProgram, startBench } from './install-bench.ts';

let shared: Resources;
let bench: Bench;

before(async () => {
  shared = new Resources();
  bench = await startBench(shared);
});
after(async () => await shared[Symbol.asyncDispose]());

test('a refused enrolment leaves nothing, not even the key that was made for it', async () => {
  await using resources = new Resources();
  const refusing = goodProgram.replace(
    'mkdir -p',
    'echo "the token has expired" >&2; mkdir -p /var/lib/durantic; echo key >/var/lib/durantic/enrolling-key.json; exit 2; mkdir -p',
  );
  const { script, refused } = await chrootMachine(resources, bench, refusing);
  const said = await refused(await script());
  assert.equal(said, `the token has expired\ndurantic: this machine could not be enrolled with ${bench.server.url}\n`);
});

test('the key of an enrolment without an answer is kept: the server may know it', async () => {
  await using resources = new Resources();
  const silent = goodProgram.replace(
    'mkdir -p',
    'mkdir -p /var/lib/durantic; echo key >/var/lib/durantic/enrolling-key.json; exit 4; mkdir -p',
  );
  const { root, script, install } = await chrootMachine(resources, bench, silent);
  assert.equal((await install(await script())).exitCode, 1);
  assert.deepEqual(readdirSync(join(root.path, 'var/lib/durantic')), ['enrolling-key.json']);
  assert.deepEqual(readdirSync(join(root.path, 'usr/local/lib')), []);
});

test('folders that were made for a refused installation are removed with it', async () => {
  await using resources = new Resources();
  const { script, refused } = await chrootMachine(resources, bench, 'exit 1');
  await refused(await script(), { env: { DURANTIC_PREFIX: '/opt/a/b' } });
});

test('what fails after the enrolment keeps the identity and puts everything else back', async () => {
  await using resources = new Resources();
  const { root, script, install } = await chrootMachine(resources, bench);
  writeFileSync(join(root.path, 'usr/bin/systemctl'), '#!/bin/sh\necho "unit is masked" >&2; exit 1\n', {
    mode: 0o755,
  });
  symlinkSync('/somewhere', join(root.path, 'usr/local/bin/durantic'));
  const { exitCode, stderr } = await install(await script());
  assert.equal(exitCode, 1);
  assert.match(
    stderr,
    /^durantic: the service could not be enabled: unit is masked\ndurantic: this machine is enrolled all the same/,
  );
  const { stdout } = await root.run(
    'ls -A /usr/local/lib /etc/systemd/system/durantic* ; readlink /usr/local/bin/durantic; ls /var/lib/durantic',
  );
  assert.equal(stdout, '/usr/local/lib:\n/somewhere\nidentity.json\n');
});

test('an installation that was told to stop, or was killed, leaves the program that was there', async () => {
  await using resources = new Resources();
  const { root, script, install } = await chrootMachine(resources, bench);
  assert.equal((await install(await script())).exitCode, 0);
  const slow = goodProgram.replace(
    'version)',
    () => 'version) echo $$ >/run/draft; mv /run/draft /run/program; exec sleep 60;',
  );
  await writeFakeBundle(resources, bench.assetsDir, { program: slow });
  for (const signal of ['TERM', 'INT', 'HUP', 'KILL']) {
    const previous = await root.snapshot();
    const running = install(await script(), { prefix: 'echo $$ >/run/installer; exec' });
    await waitFor('the program to be tried', () => existsSync(join(root.path, 'run/program')), { timeoutMs: 30_000 });
    // A shell heeds a signal when the program that it waits for has ended; the chroot's processes are this host's.
    await root.run(`kill -${signal} "$(cat /run/installer)"; kill "$(cat /run/program)"`);
    assert.notEqual((await running).exitCode, 0);
    for (const name of ['installer', 'program']) rmSync(join(root.path, 'run', name));
    if (signal !== 'KILL') assert.deepEqual(await root.snapshot(), previous, signal);
  }
  assert.match((await root.run('durantic version')).stdout, /^durantic 1\.2\.3/);
  // As if it had been killed between its two renames.
  await root.run('mv /usr/local/lib/durantic /usr/local/lib/.durantic-install.*/old');
  await writeFakeBundle(resources, bench.assetsDir, { program: 'exit 1' });
  assert.equal((await install(await script())).exitCode, 1);
  assert.match((await root.run('durantic version; ls -A /usr/local/lib')).stdout, /^durantic 1\.2\.3 .*\ndurantic\n$/);
});

test('two installations at once do not mix', async () => {
  await using resources = new Resources();
  const slow = goodProgram.replace(
    'version)',
    'version) touch /run/started; until [ -e /run/go ]; do sleep 0.1; done;',
  );
  const { root, script, install } = await chrootMachine(resources, bench, slow);
  const first = install(await script());
  await waitFor('the first to try its program', () => readdirSync(join(root.path, 'run')).includes('started'), {
    timeoutMs: 30_000,
  });
  const second = await install(await script());
  assert.equal(second.stderr, 'durantic: another installation of durantic is running\n');
  writeFileSync(join(root.path, 'run/go'), '');
  assert.equal((await first).exitCode, 0);
});

test('the real program enrols with a good token, and tells what is wrong with an expired or a foreign one', async () => {
  await using resources = new Resources();
  const dist = join(import.meta.dirname, '../../../dist');
  const server = await startTestServer(resources, { settings: { assetsDir: dist } });
  const root = await MachineRoot.mount(resources, bench.lower);
  const script = await (await server.fetch('/install.sh')).text();
  const install = async (used: string): Promise<Outcome> =>
    await root.run('bash -', { input: script, env: { DURANTIC_TOKEN: used, DURANTIC_NO_START: '1' } });
  const seal = async (from: TestServer, expiresAtMs: number): Promise<string> =>
    (await sealToken(from.context, { accountUuid: from.context.accountUuid, name: 'test', expiresAtMs })).token;

  const previous = await root.snapshot();
  const wrong = [
    [await seal(server, Date.now() - 1000), /the token has expired on the server/],
    [await seal(bench.server, Date.now() + 60_000), /does not accept the token/],
  ] as const;
  for (const [used, expected] of wrong) {
    const { exitCode, stderr } = await install(used);
    assert.equal(exitCode, 1);
    assert.match(stderr, expected);
    assert.doesNotMatch(stderr, /eyJ/);
    assert.deepEqual(await root.snapshot(), previous);
  }
  const good = await install(await seal(server, Date.now() + 60_000));
  assert.equal(good.exitCode, 0, good.stderr);
  const machines = (await server.api<{ uuid: string }[]>('GET', '/api/provisioning/machines/')).body;
  assert.equal(machines.length, 1);
  assert.match(good.stdout, new RegExp(`as ${machines[0]?.uuid}\n`));
  assert.equal(
    (await root.run("stat -c '%a %n' /etc/durantic/agent.yaml /var/lib/durantic/*")).stdout,
    '600 /etc/durantic/agent.yaml\n600 /var/lib/durantic/identity.json\n',
  );
});
