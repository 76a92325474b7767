import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ProvisionError } from '../../../core/base/errors.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { freePort, Resources, waitFor } from '../../resources.ts';

const module = new URL('../../../installer/supervision/start-remote-shell.ts', import.meta.url).pathname;

/** A machine's place for the remote shell: dropbear looks for keys in root's home, so a mount namespace has its own. */
class Place {
  readonly runDir: string;
  readonly #home: string;
  readonly #port: number;

  constructor(resources: Resources, port: number) {
    const dir = resources.tempDir();
    this.runDir = join(dir, 'run');
    this.#home = join(dir, 'home');
    this.#port = port;
    mkdirSync(this.#home, { mode: 0o700 });
    resources.defer('end dropbear', async () => {
      const pid = this.pid();
      if (pid === null || pid === '') return;
      await runCommand('kill', [pid], { okExitCodes: [0, 1] });
    });
  }

  pid(): string | null {
    try {
      return readFileSync(join(this.runDir, 'dropbear.pid'), 'utf8').trim();
    } catch {
      return null;
    }
  }

  /** Starts it from a process that ends at once, as an installer that crashes. */
  async start(authorizedKeys: readonly string[], then = ''): Promise<{ port: number; fingerprint: string }> {
    const options = { authorizedKeys, listen: `127.0.0.1:${this.#port}`, runDir: this.runDir };
    const program = `
      const { startRemoteShell } = await import(${JSON.stringify(module)});
      const signal = new AbortController().signal;
      const shell = await startRemoteShell({ ...${JSON.stringify(options)}, signal });
      ${then}
      console.log(JSON.stringify(shell));`;
    const script = 'mount --bind "$1" /root && exec "$2" --input-type=module -e "$3"';
    const args = [
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-c',
      script,
      'sh',
      this.#home,
      process.execPath,
      program,
    ];
    return JSON.parse((await runCommand('unshare', args, { timeoutMs: 20_000 })).stdout);
  }

  /** Runs a command over the shell with a key file; the exit code is 1 when nobody lets it in. */
  async connect(dir: string, key: string, command: string) {
    const args = ['-y', '-y', '-T', '-i', key, '-p', String(this.#port), 'root@127.0.0.1', command];
    const env = { HOME: dir, DROPBEAR_PASSWORD: '' };
    return await runCommand('dbclient', args, { env, okExitCodes: [0, 1], timeoutMs: 20_000 });
  }
}

async function makeKey(file: string): Promise<{ readonly file: string; readonly publicKey: string }> {
  await runCommand('dropbearkey', ['-t', 'ed25519', '-f', file]);
  const { stdout } = await runCommand('dropbearkey', ['-y', '-f', file]);
  const publicKey = /^ssh-ed25519 \S+/m.exec(stdout)?.[0];
  assert.ok(publicKey, stdout);
  return { file, publicKey };
}

test('root comes in with the key that was given and with no other, and knows the host by its fingerprint', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const [owner, stranger] = [await makeKey(join(dir, 'owner')), await makeKey(join(dir, 'stranger'))];
  const place = new Place(resources, await freePort());
  const shell = await place.start([`${owner.publicKey} somebody@desk`]);
  const hostKey = await runCommand('dropbearkey', ['-y', '-f', join(place.runDir, 'ssh_host_ed25519_key')]);
  assert.ok(hostKey.stdout.includes(`Fingerprint: ${shell.fingerprint}\n`));

  const inside = await place.connect(dir, owner.file, 'id -u; cat /root/.ssh/authorized_keys');
  assert.equal(inside.exitCode, 0, inside.stderr);
  assert.equal(inside.stdout, `0\n${owner.publicKey} somebody@desk\n`);
  const refused = await place.connect(dir, stranger.file, 'id -u');
  assert.equal(refused.exitCode, 1);
  assert.equal(refused.stdout, '');
  assert.match(refused.stderr, /No auth methods could be used/, 'a password was asked for');
});

test('it outlives the installer; the next start takes it over with new keys; it can be ended', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const [first, second] = [await makeKey(join(dir, 'first')), await makeKey(join(dir, 'second'))];
  const place = new Place(resources, await freePort());
  const before = await place.start([first.publicKey]);
  const pid = place.pid();
  assert.match(pid ?? '', /^\d+$/);
  const after = await place.start([second.publicKey]);
  assert.deepEqual(after, before);
  assert.equal(place.pid(), pid);
  // Each start of this test has a mount namespace of its own over the same folder.
  assert.equal((await place.connect(dir, first.file, 'true')).exitCode, 1);
  assert.equal((await place.connect(dir, second.file, 'true')).exitCode, 0);

  await place.start([second.publicKey], 'shell.end();');
  await waitFor('the end of dropbear', async () => {
    const { stderr } = await place.connect(dir, second.file, 'true');
    return /Connection refused|Error connecting/.test(stderr);
  });
});

test('a port that is taken is an error, not a shell that nobody reaches', async () => {
  await using resources = new Resources();
  const port = await freePort();
  const key = await makeKey(join(resources.tempDir(), 'key'));
  await new Place(resources, port).start([key.publicKey]);
  await assert.rejects(new Place(resources, port).start([key.publicKey]), (error: unknown) => {
    assert.ok(error instanceof ProvisionError);
    // The process of the test says it on its standard error.
    assert.match(String(error.facts['stderr']), /dropbear exited with 1.*code: 'tool_failed'/s);
    return true;
  });
});
