import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { agentUnit } from '../../../agent/rootfs/agent-unit.ts';
import { writeFakeBundle } from '../../builders/agent-bundle.ts';
import { startTestServer } from '../../builders/server.ts';
import { Resources } from '../../resources.ts';
import { type Bench, chrootMachine, goodProgram, startBench } from './install-bench.ts';

let shared: Resources;
let bench: Bench;

before(async () => {
  shared = new Resources();
  bench = await startBench(shared);
});
after(async () => await shared[Symbol.asyncDispose]());

test('in a chroot the agent is installed for the next boot, as agent injection would have', async () => {
  await using resources = new Resources();
  const { root, script, install } = await chrootMachine(resources, bench);
  const { exitCode, stdout, stderr } = await install(await script());
  assert.equal(exitCode, 0, stderr);
  assert.equal(stderr, '');
  assert.deepEqual(stdout.trimEnd().split('\n'), [
    'durantic: agent 1.2.3 installed in /usr/local/lib/durantic',
    `durantic: this machine is enrolled with ${bench.server.url} as 6f1c7b1e-0000-4000-8000-000000000001`,
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
    `server: ${bench.server.url}`,
  ]);
});

test('a second run replaces the program and keeps the identity, with a token and without', async () => {
  await using resources = new Resources();
  const { root, script, install } = await chrootMachine(resources, bench);
  assert.equal((await install(await script())).exitCode, 0);
  await root.run('touch /usr/local/lib/durantic/of-the-old-version');
  // The unit of an older durantic, whose program never said that it was ready.
  const unit = '/etc/systemd/system/durantic-agent.service';
  await root.run(`sed -i -e 's/^Type=.*/Type=exec/' -e '/^WatchdogSec=/d' ${unit}`);
  const keepsKey = goodProgram
    .replace("echo '", "test -e /var/lib/durantic/identity.json || echo '")
    .replace('1.2.3', '1.2.4');
  await writeFakeBundle(resources, bench.assetsDir, { program: keepsKey });
  const again = await install(await script());
  assert.match(
    again.stdout,
    /^durantic: agent 1\.2\.4 replaced in .*\ndurantic: this machine is enrolled with .* as 6f1c7b1e/,
    again.stderr,
  );
  assert.equal((await root.run(`cat ${unit}`)).stdout, agentUnit);
  const without = await install(await script(), { env: { DURANTIC_TOKEN: '' } });
  assert.match(without.stdout, /replaced in .*\ndurantic: this machine stays enrolled as 6f1c7b1e/, without.stderr);
  assert.equal((await root.run('ls -A /usr/local/lib /usr/local/lib/durantic')).stdout.includes('of-the-old'), false);
});

test('without a token a machine that is not enrolled is told where to get one', async () => {
  await using resources = new Resources();
  const { script, refused } = await chrootMachine(resources, bench);
  const said = await refused(await script(), { env: { DURANTIC_TOKEN: '' } });
  assert.match(said, /^durantic: DURANTIC_TOKEN is not set: make a token with "durantic server token create"/);
});

test('where systemd does not run, it says how to install all the same', async () => {
  await using resources = new Resources();
  const { script, refused } = await chrootMachine(resources, bench);
  assert.match(
    await refused(await script(), { env: { DURANTIC_NO_START: '' } }),
    /^durantic: systemd is not running here.*DURANTIC_NO_START=1/,
  );
});

test('F65 a system without systemd is refused', async () => {
  await using resources = new Resources();
  const { root, script, refused } = await chrootMachine(resources, bench);
  rmSync(join(root.path, 'usr/lib/systemd/systemd'));
  assert.match(await refused(await script()), /^durantic: this system has no systemd, which starts the agent\n$/);
});

test('F65 another architecture, another C library and an older glibc are refused', async () => {
  await using resources = new Resources();
  const { root, script, refused } = await chrootMachine(resources, bench);
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
  const { root, script, refused, install } = await chrootMachine(resources, bench);
  const other = await startTestServer(resources, { settings: { assetsDir: bench.assetsDir } });
  const misled = (await script()).replace(bench.server.url, other.url);
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
  const { root, script, refused } = await chrootMachine(resources, bench);
  rmSync(join(root.path, 'usr/bin/curl'));
  writeFileSync(join(root.path, 'usr/bin/wget'), '#!/bin/sh\necho "BusyBox v1.35"\n', { mode: 0o755 });
  assert.match(await refused(await script()), /^durantic: curl is missing \(GNU wget does as well\); install it/);
  rmSync(join(root.path, 'usr/bin/wget'));
  assert.match(await refused(await script()), /^durantic: curl is missing/);
});

test('a server that is not there is said to be so', async () => {
  await using resources = new Resources();
  const { script, refused } = await chrootMachine(resources, bench);
  const gone = (await script()).replace(bench.server.url, 'https://127.0.0.1:9').replace('--retry 3', '--retry 0');
  assert.match(
    await refused(gone),
    /durantic: the agent could not be downloaded from https:\/\/127\.0\.0\.1:9 \(curl ended with 7\)/,
  );
});

test('an archive that is not the one of the script is not unpacked', async () => {
  await using resources = new Resources();
  const { script, refused } = await chrootMachine(resources, bench);
  const earlier = await script();
  await writeFakeBundle(resources, bench.assetsDir, { program: 'touch /usr/local/altered' });
  assert.match(
    await refused(earlier),
    /has the SHA-256 [0-9a-f]{64} where this script expects [0-9a-f]{64}: if the server was just updated/,
  );
});

test('a program that does not start is not installed, and its own words are shown', async () => {
  await using resources = new Resources();
  const { script, refused } = await chrootMachine(
    resources,
    bench,
    'echo "cannot open shared object file" >&2; exit 127',
  );
  assert.match(
    await refused(await script()),
    /^durantic: the program does not start on this system: cannot open shared object file\n$/,
  );
});

test('a full disk is found before anything is downloaded', async () => {
  await using resources = new Resources();
  const { root, script, refused } = await chrootMachine(resources, bench);
  await root.mount(resources, 'usr/local', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs']);
  mkdirSync(join(root.path, 'usr/local/lib'));
  mkdirSync(join(root.path, 'usr/local/bin'));
  assert.match(await refused(await script()), /^durantic: \/usr\/local\/lib has 4 MiB free; \d+ MiB are needed\n$/);
  assert.deepEqual(readdirSync(join(root.path, 'usr/local/lib')), []);
});

test('F65 where /usr is read-only it says so, and another prefix works', async () => {
  await using resources = new Resources();
  const { root, script, refused, install } = await chrootMachine(resources, bench);
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

test("F65 the agent's own libraries are laid down only where the system has none and its glibc suffices", async () => {
  await using resources = new Resources();
  const { root, script, install, refused } = await chrootMachine(resources, bench);
  const libraries = { 'libstdc++.so.6': '2.36', 'libgcc_s.so.1': '2.35' };
  await writeFakeBundle(resources, bench.assetsDir, { program: goodProgram, fallback: libraries });
  const laid = async (): Promise<string> => (await root.run('cd /usr/local/lib/durantic; ls lib* 2>/dev/null')).stdout;
  assert.equal((await install(await script())).exitCode, 0);
  assert.equal(await laid(), '');
  await root.run('rm -f /usr/lib/x86_64-linux-gnu/libstdc++.so.6* && ldconfig');
  // One for 32 bits is none.
  await root.run("printf '\\177ELF\\001' >/usr/lib/libstdc++.so.6");
  const { stdout } = await install(await script());
  assert.match(stdout, /^durantic: this system has no libstdc\+\+\.so\.6: the agent uses its own copy\n/);
  assert.equal(await laid(), 'libstdc++.so.6\n');
  await writeFakeBundle(resources, bench.assetsDir, { program: goodProgram, fallback: { 'libstdc++.so.6': '2.99' } });
  assert.match(
    await refused(await script()),
    /own copy needs glibc 2\.99 where this system has 2\.36: install libstdc\+\+\.so\.6/,
  );
  await writeFakeBundle(resources, bench.assetsDir, { program: goodProgram });
  assert.match(
    await refused(await script()),
    /^durantic: this system has no libstdc\+\+\.so\.6, and the agent brings none/,
  );
});
