import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fillInstallScript, installScriptTemplate } from '../../../control-plane/downloads/install-script.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { Resources } from '../../resources.ts';

const script = fillInstallScript(installScriptTemplate(), {
  server: 'https://127.0.0.1:1',
  pin: null,
  leafPin: null,
  bundle: { sha256: 'ab'.repeat(32), sizeBytes: 1000 },
});

const shells = [
  ['bash', '-'],
  ['dash', '-'],
] as const;

/** Runs a script as the install line does, by its standard input, tracing every command that is run. */
async function pipeInto(
  shell: readonly string[],
  text: string,
): Promise<{ traced: string[]; stdout: string; exitCode: number }> {
  const [name = '', ...args] = shell;
  const result = await runCommand('setpriv', ['--reuid=65534', '--clear-groups', name, '-x', ...args], {
    input: text,
    okExitCodes: [0, 1, 2, 127],
    cwd: '/',
  });
  const traced = result.stderr.split('\n').filter((line) => line.startsWith('+'));
  return { traced, stdout: result.stdout, exitCode: result.exitCode };
}

test('a script that was cut off runs nothing, wherever the cut is', async () => {
  // The script switches tracing off, since a trace would show the token.
  const traceable = script.replace('\n{ set +x; } 2>/dev/null\n', '\n');
  assert.notEqual(traceable, script);
  const bytes = Buffer.from(traceable);
  const points = new Set<number>();
  for (let at = 0; at < bytes.byteLength; at += 1024) points.add(at);
  // Near the end a call could be complete by chance.
  for (let at = bytes.byteLength - 40; at < bytes.byteLength - 1; at += 1) points.add(at);
  for (const shell of shells) {
    const whole = await pipeInto(shell, traceable);
    assert.ok(whole.traced.length > 0, 'the trace does not show what is run');
    assert.equal(whole.exitCode, 1);
    for (const at of points) {
      const { traced, stdout, exitCode } = await pipeInto(shell, bytes.subarray(0, at).toString());
      assert.deepEqual({ traced, stdout }, { traced: [], stdout: '' }, `${shell[0]}, cut at ${at}`);
      // Up to the brace there are only comments.
      if (at > bytes.indexOf('\n{') + 2) assert.notEqual(exitCode, 0, `${shell[0]}, cut at ${at}`);
    }
  }
});

test('without root nothing is done, and it says so', async () => {
  for (const shell of shells) {
    const [name = '', ...args] = shell;
    const result = await runCommand('setpriv', ['--reuid=65534', '--clear-groups', name, ...args], {
      input: script,
      okExitCodes: [1],
      env: { DURANTIC_TOKEN: 'S3CR3T' },
    });
    assert.deepEqual(result, {
      stdout: '',
      stderr: 'durantic: this needs root: open a root shell (sudo -i), then run the line there\n',
      exitCode: 1,
    });
  }
});

test('a copy that no server has filled in is refused, and so is one of a server without a bundle', async () => {
  const run = async (text: string): Promise<string> =>
    (await runCommand('bash', ['-'], { input: text, okExitCodes: [1] })).stderr;
  assert.match(await run(installScriptTemplate()), /^durantic: this copy of install\.sh knows no server/);
  const missing = "the server has none: it's to be built";
  const without = fillInstallScript(installScriptTemplate(), {
    ...{ server: 'https://127.0.0.1:1', pin: null, leafPin: null, bundle: { missing } },
  });
  assert.equal(await run(without), `durantic: ${missing}\n`);
});

test('a prefix is an absolute, plain name', async () => {
  for (const prefix of ['usr/local', '/opt/a b', '/opt/$(id)', '/opt/', '/']) {
    const result = await runCommand('bash', ['-'], {
      input: script,
      okExitCodes: [1],
      env: { DURANTIC_PREFIX: prefix },
    });
    assert.match(result.stderr, /^durantic: DURANTIC_PREFIX must be/, prefix);
  }
});

test('no machine but x86_64 with Linux is touched', async () => {
  await using resources = new Resources();
  const folder = resources.tempDir();
  const uname = join(folder, 'uname');
  for (const [system, machine, expected] of [
    ['Linux', 'aarch64', /^durantic: this machine is aarch64; the agent runs on x86_64\n$/],
    ['FreeBSD', 'amd64', /^durantic: this is FreeBSD; the agent runs on Linux\n$/],
  ] as const) {
    writeFileSync(uname, `#!/bin/sh\n[ "$1" = -m ] && echo ${machine} || echo ${system}\n`);
    chmodSync(uname, 0o755);
    const text = script.replaceAll('$(uname ', `$(${uname} `);
    assert.match((await runCommand('bash', ['-'], { input: text, okExitCodes: [1] })).stderr, expected);
  }
});

test('shellcheck finds nothing, neither as POSIX shell nor as bash', async () => {
  await using resources = new Resources();
  for (const [name, text] of [
    ['template.sh', installScriptTemplate()],
    ['filled.sh', script],
  ] as const) {
    const file = join(resources.tempDir(), name);
    writeFileSync(file, text);
    for (const dialect of ['sh', 'bash']) {
      const { stdout } = await runCommand('shellcheck', ['-s', dialect, file], { okExitCodes: [0, 1] });
      assert.equal(stdout, '', `${name} as ${dialect}`);
    }
  }
});
