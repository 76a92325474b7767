import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sealToken } from '../../../control-plane/enrolment/bootstrap-token.ts';
import { writeFakeBundle } from '../../builders/agent-bundle.ts';
import { MachineRoot, type Outcome, type RunOptions, unpackMachineRoot } from '../../builders/machine-root.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { Resources, waitFor } from '../../resources.ts';

// A machine whose systemd does not run (a chroot) on this host's network, and a program that is a script: what install.sh
// itself does when something is wrong. It must leave the system as it was.

const token = 'eyJhbGciOiJkaXIifQ..S3CR3T';
const identity = '{"machine_uuid": "6f1c7b1e-0000-4000-8000-000000000001"}';

/** Enrols as the program does, as far as install.sh can see it; the token must come by the environment only. */
const goodProgram = `
case $1 in
  version) [ -z "$DURANTIC_TOKEN" ] || exit 70; echo "durantic 1.2.3 (commit abc, Node 26, x64)" ;;
  enroll)
    [ "$DURANTIC_TOKEN" = "${token}" ] || exit 70
    case "$*" in *S3CR3T*) exit 70 ;; esac
    mkdir -p /var/lib/durantic /etc/durantic
    echo '${identity}' >/var/lib/durantic/identity.json
    echo "server: $3" >/etc/durantic/agent.yaml
    ;;
esac`;

let shared: { resources: Resources; lower: string; server: TestServer; assetsDir: string };

before(async () => {
  const resources = new Resources();
  const assetsDir = resources.tempDir();
  const server = await startTestServer(resources, { settings: { assetsDir } });
  shared = { resources, lower: await unpackMachineRoot(resources), server, assetsDir };
});
after(async () => {
  await shared?.resources[Symbol.asyncDispose]();
});

interface Machine {
  readonly resources: Resources;
  readonly root: MachineRoot;
  /** Fetches install.sh now; what was changed of it is for a test to say. */
  script(): Promise<string>;
  /** Pipes a script into bash as the install line does. */
  install(script: string, options?: RunOptions & { prefix?: string }): Promise<Outcome>;
  /** The same for what must be refused: nothing is left, and the token is not shown. Gives what was said. */
  refused(script: string, options?: RunOptions & { prefix?: string }): Promise<string>;
}

async function machine(resources: Resources, program: string = goodProgram): Promise<Machine> {
  await writeFakeBundle(resources, shared.assetsDir, { program });
  const root = await MachineRoot.mount(resources, shared.lower);
  const install: Machine['install'] = async (script, { prefix = '', ...options } = {}) =>
    await root.run(`${prefix} bash -`, {
      ...options,
      input: script,
      env: { DURANTIC_TOKEN: token, DURANTIC_NO_START: '1', ...options.env },
    });
  return {
    resources,
    root,
    script: async () => await (await shared.server.fetch('/install.sh')).text(),
    install,
    refused: async (script, options) => {
      const previous = await root.snapshot();
      const { exitCode, stdout, stderr } = await install(script, options);
      assert.notEqual(exitCode, 0, stdout);
      assert.doesNotMatch(stdout + stderr, /S3CR3T/);
      assert.doesNotMatch(stdout, /installed|enrolled/);
      assert.deepEqual(await root.snapshot(), previous);
      return stderr;
    },
  };
}

test('in a chroot the agent is installed for the next boot, as agent injection would have', async () => {
  await using resources = new Resources();
  const { root, script, install } = await machine(resources);
  const { exitCode, stdout, stderr } = await install(await script());
  assert.equal(exitCode, 0, stderr);
  assert.equal(stderr, '');
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    'durantic: agent 1.2.3 installed in /usr/local/lib/durantic',
    `durantic: this machine is enrolled with ${shared.server.url} as 6f1c7b1e-0000-4000-8000-000000000001`,
    'durantic: durantic-agent.service is enabled and starts with the next boot',
  ]);
  const { stdout: facts } = await root.run(
    `readlink /usr/local/bin/durantic /etc/systemd/system/multi-user.target.wants/durantic-agent.service
     stat -c '%n %a %U:%G' /usr/local/lib/durantic /usr/local/lib/durantic/durantic /etc/systemd/system/durantic-agent.service
     ls -A /usr/local/lib; durantic version; grep server: /etc/durantic/agent.yaml`,
  );
  assert.deepEqual(facts.trimEnd().split('\n'), [
    '../lib/durantic/durantic',
    '/etc/systemd/system/durantic-agent.service',
    '/usr/local/lib/durantic 755 root:root',
    '/usr/local/lib/durantic/durantic 755 root:root',
    '/etc/systemd/system/durantic-agent.service 644 root:root',
    'durantic',
    'durantic 1.2.3 (commit abc, Node 26, x64)',
    `server: ${shared.server.url}`,
  ]);
});

test('a second run replaces the program and keeps the identity, with a token and without', async () => {
  await using resources = new Resources();
  const { root, script, install } = await machine(resources);
  assert.equal((await install(await script())).exitCode, 0);
  await root.run('touch /usr/local/lib/durantic/of-the-old-version');
  const keepsKey = goodProgram
    .replace("echo '", "test -e /var/lib/durantic/identity.json || echo '")
    .replace('1.2.3', '1.2.4');
  await writeFakeBundle(resources, shared.assetsDir, { program: keepsKey });
  const again = await install(await script());
  assert.match(
    again.stdout,
    /^durantic: agent 1\.2\.4 replaced in .*\ndurantic: this machine is enrolled with .* as 6f1c7b1e/,
    again.stderr,
  );
  const without = await install(await script(), { env: { DURANTIC_TOKEN: '' } });
  assert.match(without.stdout, /replaced in .*\ndurantic: this machine stays enrolled as 6f1c7b1e/, without.stderr);
  assert.equal((await root.run('ls -A /usr/local/lib /usr/local/lib/durantic')).stdout.includes('of-the-old'), false);
});

test('without a token a machine that is not enrolled is told where to get one', async () => {
  await using resources = new Resources();
  const { script, refused } = await machine(resources);
  const said = await refused(await script(), { env: { DURANTIC_TOKEN: '' } });
  assert.match(said, /^durantic: DURANTIC_TOKEN is not set: make a token with "durantic server token create"/);
});

test('where systemd does not run, it says how to install all the same', async () => {
  await using resources = new Resources();
  const { script, refused } = await machine(resources);
  assert.match(
    await refused(await script(), { env: { DURANTIC_NO_START: '' } }),
    /^durantic: systemd is not running here.*DURANTIC_NO_START=1/,
  );
});

test('F65 a system without systemd is refused', async () => {
  await using resources = new Resources();
  const { root, script, refused } = await machine(resources);
  rmSync(join(root.path, 'usr/lib/systemd/systemd'));
  assert.match(await refused(await script()), /^durantic: this system has no systemd, which starts the agent\n$/);
});

test('F65 another architecture, another C library and an older glibc are refused', async () => {
  await using resources = new Resources();
  const { root, script, refused } = await machine(resources);
  assert.match(
    await refused(await script(), { prefix: 'setarch i386' }),
    /^durantic: this machine is i686; the agent runs on x86_64/,
  );
  const floor = (await script()).replace(/^glibc_floor=.*/m, "glibc_floor='2.99'");
  assert.match(await refused(floor), /^durantic: this system has glibc 2\.36; the agent needs 2\.99 or later/);
  const musl = (await script()).replaceAll('/lib64/ld-linux-x86-64.so.2', '/lib64/none');
  assert.match(await refused(musl), /^durantic: this system has no glibc for x86-64; the agent needs 2\.28/);
  renameSync(join(root.path, 'usr/bin/getconf'), join(root.path, 'usr/bin/other'));
  assert.match(await refused(floor), /has glibc 2\.36; the agent needs 2\.99/, 'ldd tells the version as well');
});

test('another server than the one that made the script is found out by its key', async () => {
  await using resources = new Resources();
  const { root, script, refused, install } = await machine(resources);
  const other = await startTestServer(resources, { settings: { assetsDir: shared.assetsDir } });
  const misled = (await script()).replace(shared.server.url, other.url);
  assert.match(
    await refused(misled),
    /durantic: https:\S+ has another key than when this script was made: download the script again/,
  );
  // The same with GNU wget, where there is no curl.
  rmSync(join(root.path, 'usr/bin/curl'));
  assert.match(await refused(misled), /could not be downloaded from .*, or .* has another key/);
  assert.equal((await install(await script())).exitCode, 0);
});

test('without a program that can check the key, it says what to install', async () => {
  await using resources = new Resources();
  const { root, script, refused } = await machine(resources);
  rmSync(join(root.path, 'usr/bin/curl'));
  writeFileSync(join(root.path, 'usr/bin/wget'), '#!/bin/sh\necho "BusyBox v1.35"\n', { mode: 0o755 });
  assert.match(await refused(await script()), /^durantic: curl is missing \(GNU wget does as well\); install it/);
  rmSync(join(root.path, 'usr/bin/wget'));
  assert.match(await refused(await script()), /^durantic: curl is missing/);
});

test('a server that is not there is said to be so', async () => {
  await using resources = new Resources();
  const { script, refused } = await machine(resources);
  const gone = (await script()).replace(shared.server.url, 'https://127.0.0.1:9').replace('--retry 3', '--retry 0');
  assert.match(
    await refused(gone),
    /durantic: the agent could not be downloaded from https:\/\/127\.0\.0\.1:9 \(curl ended with 7\)/,
  );
});

test('an archive that is not the one of the script is not unpacked', async () => {
  await using resources = new Resources();
  const { script, refused } = await machine(resources);
  const earlier = await script();
  await writeFakeBundle(resources, shared.assetsDir, { program: 'touch /usr/local/altered' });
  assert.match(
    await refused(earlier),
    /has the SHA-256 [0-9a-f]{64} where this script expects [0-9a-f]{64}: if the server was just updated/,
  );
});

test('a program that does not start is not installed, and its own words are shown', async () => {
  await using resources = new Resources();
  const { script, refused } = await machine(resources, 'echo "cannot open shared object file" >&2; exit 127');
  assert.match(
    await refused(await script()),
    /^durantic: the program does not start on this system: cannot open shared object file\n$/,
  );
});

test('a refused enrolment leaves nothing, not even the key that was made for it', async () => {
  await using resources = new Resources();
  const refusing = goodProgram.replace(
    'mkdir -p',
    'echo "the token has expired" >&2; mkdir -p /var/lib/durantic; echo key >/var/lib/durantic/enrolling-key.json; exit 2; mkdir -p',
  );
  const { script, refused } = await machine(resources, refusing);
  const said = await refused(await script());
  assert.equal(said, `the token has expired\ndurantic: this machine could not be enrolled with ${shared.server.url}\n`);
});

test('the key of an enrolment without an answer is kept: the server may know it', async () => {
  await using resources = new Resources();
  const silent = goodProgram.replace(
    'mkdir -p',
    'mkdir -p /var/lib/durantic; echo key >/var/lib/durantic/enrolling-key.json; exit 4; mkdir -p',
  );
  const { root, script, install } = await machine(resources, silent);
  assert.equal((await install(await script())).exitCode, 1);
  assert.deepEqual(readdirSync(join(root.path, 'var/lib/durantic')), ['enrolling-key.json']);
  assert.deepEqual(readdirSync(join(root.path, 'usr/local/lib')), []);
});

test('a full disk is found before anything is downloaded', async () => {
  await using resources = new Resources();
  const { root, script, refused } = await machine(resources);
  await root.mount(resources, 'usr/local', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs']);
  mkdirSync(join(root.path, 'usr/local/lib'));
  mkdirSync(join(root.path, 'usr/local/bin'));
  assert.match(await refused(await script()), /^durantic: \/usr\/local\/lib has 4 MiB free; \d+ MiB are needed\n$/);
  assert.deepEqual(readdirSync(join(root.path, 'usr/local/lib')), []);
});

test('F65 where /usr is read-only it says so, and another prefix works', async () => {
  await using resources = new Resources();
  const { root, script, refused, install } = await machine(resources);
  await root.mount(resources, 'usr/local', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs']);
  assert.match(
    await refused(await script()),
    /^durantic: \/usr\/local\/lib cannot be made: is the file system read-only\? DURANTIC_PREFIX=\/opt\/durantic/,
  );
  const elsewhere = await install(await script(), { env: { DURANTIC_PREFIX: '/opt/durantic' } });
  assert.equal(elsewhere.exitCode, 0, elsewhere.stderr);
  const { stdout } = await root.run(
    '/opt/durantic/bin/durantic version; grep ExecStart /etc/systemd/system/durantic-agent.service',
  );
  assert.match(stdout, /^durantic 1\.2\.3 .*\nExecStart=\/opt\/durantic\/bin\/durantic agent\n$/);
});

test('folders that were made for a refused installation are removed with it', async () => {
  await using resources = new Resources();
  const { script, refused } = await machine(resources, 'exit 1');
  await refused(await script(), { env: { DURANTIC_PREFIX: '/opt/a/b' } });
});

test("F65 the agent's own libraries are laid down only where the system has none and its glibc suffices", async () => {
  await using resources = new Resources();
  const { root, script, install, refused } = await machine(resources);
  const libraries = { 'libstdc++.so.6': '2.36', 'libgcc_s.so.1': '2.35' };
  await writeFakeBundle(resources, shared.assetsDir, { program: goodProgram, fallback: libraries });
  const laid = async (): Promise<string> => (await root.run('cd /usr/local/lib/durantic; ls lib* 2>/dev/null')).stdout;
  assert.equal((await install(await script())).exitCode, 0);
  assert.equal(await laid(), '');
  await root.run('rm -f /usr/lib/x86_64-linux-gnu/libstdc++.so.6* && ldconfig');
  // One for 32 bits is none.
  await root.run("printf '\\177ELF\\001' >/usr/lib/libstdc++.so.6");
  const { stdout } = await install(await script());
  assert.match(stdout, /^durantic: this system has no libstdc\+\+\.so\.6: the agent uses its own copy\n/);
  assert.equal(await laid(), 'libstdc++.so.6\n');
  await writeFakeBundle(resources, shared.assetsDir, { program: goodProgram, fallback: { 'libstdc++.so.6': '2.99' } });
  assert.match(
    await refused(await script()),
    /own copy needs glibc 2\.99 where this system has 2\.36: install libstdc\+\+\.so\.6/,
  );
  await writeFakeBundle(resources, shared.assetsDir, { program: goodProgram });
  assert.match(
    await refused(await script()),
    /^durantic: this system has no libstdc\+\+\.so\.6, and the agent brings none/,
  );
});

test('what fails after the enrolment keeps the identity and puts everything else back', async () => {
  await using resources = new Resources();
  const { root, script, install } = await machine(resources);
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
  const { root, script, install } = await machine(resources);
  assert.equal((await install(await script())).exitCode, 0);
  const slow = goodProgram.replace(
    'version)',
    () => 'version) echo $$ >/run/draft; mv /run/draft /run/program; exec sleep 60;',
  );
  await writeFakeBundle(resources, shared.assetsDir, { program: slow });
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
  await writeFakeBundle(resources, shared.assetsDir, { program: 'exit 1' });
  assert.equal((await install(await script())).exitCode, 1);
  assert.match((await root.run('durantic version; ls -A /usr/local/lib')).stdout, /^durantic 1\.2\.3 .*\ndurantic\n$/);
});

test('two installations at once do not mix', async () => {
  await using resources = new Resources();
  const slow = goodProgram.replace(
    'version)',
    'version) touch /run/started; until [ -e /run/go ]; do sleep 0.1; done;',
  );
  const { root, script, install } = await machine(resources, slow);
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
  const root = await MachineRoot.mount(resources, shared.lower);
  const script = await (await server.fetch('/install.sh')).text();
  const install = async (used: string): Promise<Outcome> =>
    await root.run('bash -', { input: script, env: { DURANTIC_TOKEN: used, DURANTIC_NO_START: '1' } });
  const seal = async (from: TestServer, expiresAtMs: number): Promise<string> =>
    (await sealToken(from.context, { accountUuid: from.context.accountUuid, name: 'test', expiresAtMs })).token;

  const previous = await root.snapshot();
  const wrong = [
    [await seal(server, Date.now() - 1000), /the token has expired on the server/],
    [await seal(shared.server, Date.now() + 60_000), /does not accept the token/],
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
