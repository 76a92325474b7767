import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { durantic } from '../../builders/durantic.ts';
import { startServerProcess } from '../../builders/server.ts';
import { Resources } from '../../resources.ts';

test('the first start prints address, pin, token and the next step; a later one no token', async () => {
  await using resources = new Resources();
  const server = await startServerProcess(resources, { args: ['--http-boot', '127.0.0.1:0'] });
  const first = server.output().stdout;
  assert.match(first, /^durantic server \S+ is ready\n/);
  assert.match(first, new RegExp(`^ {2}address {6}${server.url}$`, 'm'));
  assert.match(first, /^ {2}HTTP boot {4}http:\/\/127\.0\.0\.1:\d+$/m);
  assert.match(first, /^ {2}pin {10}sha256:[0-9a-f]{64}$/m);
  assert.match(first, /^ {2}API token {4}dur_[\w-]{43}$/m);
  assert.match(first, /^ {2}durantic server token create$/m);
  assert.ok(!server.output().stderr.includes(server.adminToken), 'the token is in the log');
  await server.kill('SIGTERM');
  await server.start();
  const second = server.output().stdout;
  assert.doesNotMatch(second, /dur_/);
  assert.match(second, /durantic server api-token create --data-dir /);
  assert.equal((await server.api('GET', '/api/controlplane/account')).status, 200);
});

test('the step that is printed works as it stands', async () => {
  await using resources = new Resources();
  const server = await startServerProcess(resources);
  const [, exports = '', command = ''] = /^ {2}export (.*)\n {2}durantic (.*)$/m.exec(server.output().stdout) ?? [];
  const env = Object.fromEntries(exports.split(' ').map((each) => each.split('=', 2)));
  const result = await durantic(command.split(' '), env);
  assert.deepEqual([result.exitCode, result.stderr], [0, '']);
  assert.match(result.stdout, /install\.sh/);
});

test('flags and file are read by the program: what is wrong is named, and exit code 2 says that it is the input', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const config = join(dir, 'server.yaml');
  writeFileSync(config, 'data-dir: data\nlisten: nonsense\n');
  const cases: [string[], RegExp][] = [
    [['--listen', '127.0.0.1:0'], /^durantic: --data-dir is needed.*\[usage\]\n$/],
    [
      ['--config', config],
      /^durantic: .*server\.yaml:2: listen: "nonsense" is not an address.*\[document_invalid\]\n$/,
    ],
    [['--config', config, '--listen', 'x'], /^durantic: --listen: "x" is not an address.*\[usage\]\n$/],
    [['--data-dir', dir, '--public-url', 'http://a.example'], /--plain-http allows it \[usage\]\n$/],
    [['--data-dir', dir, 'more'], /too many arguments.*\[usage\]\n$/],
  ];
  for (const [args, message] of cases) {
    const result = await durantic(['server', 'run', ...args]);
    assert.match(result.stderr, message);
    assert.deepEqual([result.exitCode, result.stdout], [2, '']);
  }
  assert.ok(!existsSync(join(dir, 'data')));
});

test('a file is enough beside the data directory; plain HTTP must be asked for and is said', async () => {
  await using resources = new Resources();
  const file = join(resources.tempDir(), 'server.yaml');
  writeFileSync(file, 'plain-http: true\nlog-level: error\n');
  const server = await startServerProcess(resources, { args: ['--config', file, '--plain-http'] });
  assert.match(server.output().stdout, /^ {2}pin {10}none: plain HTTP$/m);
  assert.equal(server.output().stderr, '', 'log-level: error was not heeded');
  assert.equal((await server.api('GET', '/api/controlplane/account')).status, 200);
});

test('API tokens: made, listed by their end, revoked, while the server runs', async () => {
  await using resources = new Resources();
  const server = await startServerProcess(resources);
  const on = ['--data-dir', server.dataDir];
  const created = await durantic(['server', 'api-token', 'create', '--name', 'terraform', ...on]);
  const token = created.stdout.trim();
  assert.match(token, /^dur_[\w-]{43}$/);
  const status = async (): Promise<number> =>
    (await server.api('GET', '/api/controlplane/account', undefined, { authorization: `Bearer ${token}` })).status;
  assert.equal(await status(), 200);
  const listed = await durantic(['server', 'api-token', 'list', ...on]);
  assert.ok(!listed.stdout.includes(token));
  const [uuid = ''] = new RegExp(`^\\S+(?= +dur_…${token.slice(-6)} .* terraform$)`, 'm').exec(listed.stdout) ?? [];
  assert.equal((await durantic(['server', 'api-token', 'revoke', uuid, ...on])).exitCode, 0);
  assert.equal(await status(), 401);
  const again = await durantic(['server', 'api-token', 'revoke', uuid, ...on]);
  assert.match(again.stderr, /there is no API token .*\[usage\]/);
  const left = await durantic(['server', 'api-token', 'list', '--json', ...on]);
  const names = (JSON.parse(left.stdout) as { name: string }[]).map(({ name }) => name);
  assert.deepEqual(names, ['first start']);
  const nowhere = await durantic(['server', 'api-token', 'list', '--data-dir', join(server.dataDir, 'none')]);
  assert.match(nowhere.stderr, /\[data_dir_unusable\]/);
});

test('a second server on the same data directory ends with a sentence and does not touch the first', async () => {
  await using resources = new Resources();
  const server = await startServerProcess(resources);
  const second = await durantic(['server', 'run', '--data-dir', server.dataDir, '--listen', '127.0.0.1:0']);
  assert.deepEqual([second.exitCode, /\[data_dir_in_use\]\n$/.test(second.stderr)], [3, true]);
  assert.equal((await server.api('GET', '/healthz')).status, 200);
});
