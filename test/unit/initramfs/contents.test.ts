import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { firstStageApplets, programs, unwantedApplets } from '../../../initramfs/contents.ts';
import { sourceFiles } from '../project/source-files.ts';

const initramfsDir = join(import.meta.dirname, '../../../initramfs');
const read = (name: string): string => readFileSync(join(initramfsDir, name), 'utf8');

/** Programs of an installed system only. */
const notInInstaller = new Set(['journalctl', 'systemctl']);

async function busyboxApplets(): Promise<string[]> {
  return (await runCommand('busybox', ['--list'])).stdout.trim().split('\n');
}

test('every program that the installer and the agent run is in the second stage', async () => {
  const there = new Set([...Object.values(programs).flat(), ...(await busyboxApplets())]);
  for (const name of unwantedApplets) if (name !== 'acpid') there.delete(name);
  const called = sourceFiles()
    .filter(({ path }) => /^(agent|installer|core)\//.test(path))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/\b(?:runCommand|streamCommand|runClient)\(\s*\[?'([a-z0-9._-]+)'/g)].map(([, name = '']) => ({
        path,
        name,
      })),
    );
  assert.ok(called.length > 20, 'the calls are no longer found');
  assert.deepEqual(
    called.filter(({ name }) => !there.has(name) && !notInInstaller.has(name)),
    [],
  );
});

test('what an installation checks for before it begins is taken from its package, not from busybox', () => {
  const source = readFileSync(join(initramfsDir, '../agent/provision/steps/check-tools.ts'), 'utf8');
  const table = /installTools[^{]*\{([^}]*)\}/.exec(source)?.[1] ?? '';
  const wanted = [...table.matchAll(/^\s*'?([\w.]+)'?:\s*'([\w-]+)'/gm)].map(([, tool, from]) => `${from}: ${tool}`);
  assert.ok(wanted.length > 10, 'the table is no longer found');
  const there = new Set(Object.entries(programs).flatMap(([from, names]) => names.map((name) => `${from}: ${name}`)));
  assert.deepEqual(
    wanted.filter((line) => !there.has(line)),
    [],
  );
});

test('no program is taken from two packages', () => {
  const names = Object.values(programs).flat();
  assert.deepEqual([...new Set(names)].length, names.length);
});

test('the first stage has every applet that /init runs before the second is there', async () => {
  const applets = new Set(await busyboxApplets());
  const early = `${read('init').split('export PATH=/usr/sbin')[0]}\n${read('functions')}`.replace(/^\s*#.*$/gm, '');
  // First words of commands: at the start of a line, after a pipe, `$(`, `||`, `&&`, `then`, `do` or `if !`.
  const words = [...early.matchAll(/(?:^|[|(;&]|\bthen|\bdo|\bif|!)\s*([a-z0-9]+)\b(?!\)|=)/gm)].map(
    ([, word = '']) => word,
  );
  // The shell's own; `test` has `[` here.
  const builtIn = new Set(['echo', 'read', 'exec', 'export', 'wait', 'printf', 'test', 'true', 'false', 'kill']);
  const used = [...new Set(words)].filter((word) => applets.has(word) && !builtIn.has(word));
  assert.ok(used.includes('mount') && used.includes('sha256sum'), `found only ${used.join(' ')}`);
  assert.deepEqual(
    used.filter((word) => !firstStageApplets.includes(word)),
    [],
  );
});

test('inittab starts programs that are in the second stage', () => {
  const lines = read('inittab')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  const own = new Set(readdirSync(join(initramfsDir, 'libexec')).map((name) => `/usr/libexec/durantic/${name}`));
  assert.deepEqual(
    lines.map((line) => line.split(':').slice(0, 3).join(':')),
    ['::respawn', '::respawn', '::ctrlaltdel', '::shutdown'],
  );
  const processes = lines.map((line) => line.split(':').slice(3).join(':'));
  assert.deepEqual(
    processes.filter((process) => !own.has(process)),
    ['/usr/sbin/reboot'],
  );
});

test('the scripts can be run, and shellcheck finds nothing in them', async () => {
  const scripts = ['init', ...readdirSync(join(initramfsDir, 'libexec')).map((name) => `libexec/${name}`)];
  for (const script of [...scripts, 'etc/acpi/PWRF/00000080']) {
    await runCommand('test', ['-x', join(initramfsDir, script)]);
  }
  if (!existsSync('/usr/bin/shellcheck')) throw new Error('shellcheck is not installed (scripts/install-deps unit)');
  const args = ['-s', 'sh', '-x', '-P', initramfsDir, 'functions', 'etc/acpi/PWRF/00000080', ...scripts];
  const { stdout } = await runCommand('shellcheck', args, { cwd: initramfsDir, okExitCodes: [0, 1] });
  assert.equal(stdout, '');
});
