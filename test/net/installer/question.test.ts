import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DiskFacts } from '../../../agent/disk/types.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { encodeIsoBlock, isoBlockPath } from '../../../core/boot-block/iso-block.ts';
import type { IsoSettings } from '../../../protocol/iso-settings.ts';
import { startInstaller } from '../../builders/installer-fixture.ts';
import { startTestServer, type TestServer } from '../../builders/server.ts';
import { Resources } from '../../resources.ts';
import { diskFacts } from '../../unit/agent/hardware/disk-facts.ts';

const otherPin = `sha256:${'0'.repeat(64)}`;

async function approve(server: TestServer, code: string | undefined): Promise<void> {
  const { status } = await server.api('POST', '/api/provisioning/approvals/', { code, action: 'approve' });
  assert.equal(status, 200);
}

/** A medium as the installer's builder makes it, with these settings; a plain file stands for the drive. */
async function makeMedium(resources: Resources, settings: IsoSettings): Promise<DiskFacts> {
  const dir = resources.tempDir();
  const tree = join(dir, 'tree');
  mkdirSync(join(tree, isoBlockPath, '..'), { recursive: true });
  writeFileSync(join(tree, isoBlockPath), encodeIsoBlock(settings));
  writeFileSync(join(tree, 'vmlinuz'), Buffer.alloc(3 * 1024 * 1024, 7));
  const path = join(dir, 'installer.iso');
  await runCommand('xorrisofs', ['-quiet', '-r', '-J', '-V', 'DURANTIC', '-o', path, tree]);
  return { ...diskFacts({ name: 'sr0', kind: 'cdrom', sizeBytes: 4 * 1024 * 1024 }), path };
}

test('without a server somebody is asked; a bad answer says why, a good one with its pin leads to an approval code', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const installer = await startInstaller(resources, { commandLine: 'quiet' });
  const asked = await installer.event('question');
  assert.equal(asked.question?.problem, null);
  for (const [answer, problem] of [
    ['https://host/path', /Only the address/],
    [`${server.url} sha256:12`, /must be the pin/],
  ] as const) {
    installer.answer(answer);
    await installer.event('question', ({ question }) => problem.test(question?.problem ?? ''));
  }
  installer.answer(`  127.0.0.1:${server.port}   ${server.pin.toUpperCase().replace('SHA', 'sha')} `);
  await installer.event('question', ({ question }) => question === null);
  const { approval } = await installer.event('approval', ({ approval }) => approval !== null);
  await approve(server, approval?.code);
  await installer.event('enrolled');
  // Nobody asks any more: what is typed now changes nothing.
  const count = installer.events.length;
  installer.answer('other.example');
  assert.ok(!installer.events.slice(count).some(({ kind }) => kind === 'server'));
});

test('a server with a certificate of its own and no pin says what is missing, and takes the pin at the console', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const installer = await startInstaller(resources, { commandLine: `durantic.server=${server.url}` });
  const trouble = await installer.trouble('server_untrusted');
  assert.match(trouble.what, /is not trusted/);
  assert.match(trouble.todo, /durantic\.pin=sha256:.*type the address, a space and the pin/);
  const { question } = await installer.event('question', ({ question }) => question !== null);
  assert.match(question?.problem ?? '', /certificate is not trusted.*pin/);
  installer.answer(`${server.url} ${server.pin}`);
  const { approval } = await installer.event('approval', ({ approval }) => approval !== null);
  await approve(server, approval?.code);
  await installer.event('connected', ({ isConnected }) => isConnected);
});

test('an address that was typed wrong is asked for again', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const installer = await startInstaller(resources, { commandLine: '' });
  await installer.event('question');
  installer.answer('127.0.0.1:1');
  await installer.event('question', ({ question }) =>
    /127\.0\.0\.1:1 cannot be reached by any link/.test(question?.problem ?? ''),
  );
  installer.answer(`${server.url} ${server.pin}`);
  await installer.event('approval', ({ approval }) => approval !== null);
});

test('the settings of an installation medium are used, also of one that comes after somebody was asked', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const { body } = await server.api<{ token: string }>('POST', '/api/provisioning/bootstrap-tokens/', {});
  const medium = await makeMedium(resources, { server: server.url, pin: server.pin, token: body.token });
  const disks: DiskFacts[] = [];
  const parts = { listDisks: async () => disks };
  const installer = await startInstaller(resources, { commandLine: 'console=ttyS0', parts });
  await installer.event('question', ({ question }) => question !== null);
  disks.push(medium);
  await installer.event('enrolled');
  assert.deepEqual(
    installer.events.filter(({ kind }) => kind === 'enrolling'),
    [{ kind: 'enrolling', way: 'token' }],
  );
  assert.ok(!JSON.stringify(installer.events).includes(body.token.slice(0, 20)), 'F27 the token is in no event');
});

test('the command line overrides each value of the medium', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const { body } = await server.api<{ token: string }>('POST', '/api/provisioning/bootstrap-tokens/', {});
  const medium = await makeMedium(resources, { server: server.url, pin: otherPin, token: body.token });
  const installer = await startInstaller(resources, {
    commandLine: `durantic.server=${server.url} durantic.pin=${server.pin}`,
    parts: { listDisks: async () => [medium] },
  });
  await installer.event('enrolling', ({ way }) => way === 'token');
  await installer.event('enrolled');
});

test('a medium of another server than the command line names gives neither pin nor token, and is named', async () => {
  await using resources = new Resources();
  const server = await startTestServer(resources);
  const { body } = await server.api<{ token: string }>('POST', '/api/provisioning/bootstrap-tokens/', {});
  const medium = await makeMedium(resources, { server: 'https://192.0.2.1:1', pin: otherPin, token: body.token });
  const parts = { listDisks: async () => [medium] };
  const withoutPin = await startInstaller(resources, { commandLine: `durantic.server=${server.url}`, parts });
  await withoutPin.trouble('server_untrusted');
  await withoutPin.event(
    'notice',
    ({ text }) => text.includes(`${medium.path} belongs to https://192.0.2.1:1`) && text.includes(server.url),
  );
  const commandLine = `durantic.server=${server.url} durantic.pin=${server.pin}`;
  const withPin = await startInstaller(resources, { commandLine, parts });
  await withPin.event('approval', ({ approval }) => approval !== null);
  assert.ok(!withPin.events.some((event) => event.kind === 'enrolling' && event.way === 'token'));
});
