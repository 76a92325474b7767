import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, type OperatedServer, operateServer } from '../../builders/operated-server.ts';
import type { PlayedMachine } from '../../builders/played-machine.ts';
import { PseudoTerminal } from '../../builders/pseudo-terminal.ts';
import { startRegistry } from '../../builders/registry.ts';
import { cliEnvironment, cliMain, cliNode } from '../../builders/server-cli.ts';
import { tinyImage } from '../../builders/tiny-image.ts';
import { Resources } from '../../resources.ts';

interface Installable extends OperatedServer {
  readonly node: PlayedMachine;
  /** The command line on a terminal of 80 columns. */
  readonly terminal: (args: readonly string[]) => PseudoTerminal;
}

/** A machine in the installer and a default image that the server can resolve. */
async function installable(resources: Resources): Promise<Installable> {
  const registry = await startRegistry(resources);
  const reference = await registry.push((await tinyImage(resources)).reference, 'os/tiny:1');
  const operated = await operateServer(resources);
  await operated.ok(['images', 'add', 'tiny', `http://${reference}`, '--default']);
  const node = operated.machine('node-1');
  await node.bootInstaller();
  const env = cliEnvironment(operated.server);
  const terminal = (args: readonly string[]): PseudoTerminal =>
    new PseudoTerminal(resources, { command: [cliNode, cliMain, 'server', ...args], env, columns: 80, rows: 24 });
  return { ...operated, node, terminal };
}

test('provision asks, shows the installation live on a terminal, and ends with 0 when it is completed', async () => {
  await using resources = new Resources();
  const { node, terminal, ok, json, cli } = await installable(resources);
  assertRefused(await cli(['provision', 'node-1']), 2, /say --yes .*\[confirmation_required\]/);
  const screen = terminal(['provision', 'node-1']);
  await screen.shows(/disk is erased\. \[y\/N\]/);
  screen.type('y\n');
  const { args } = await node.take();
  await screen.shows(/^Entering the installer: .* \(\d+ s\)$/);
  const uuid = args.provision_uuid;
  const extraction = { step: 'layer_extraction', state: 'progress', bytes_total: 2e9, rate_bps: 1e8 } as const;
  await node.tell(uuid, { step: 'image_inspection', state: 'succeeded', percent: 2, message: 'two \u001b[2Jlayers' });
  await node.tell(uuid, { ...extraction, percent: 42.4, bytes_done: 1e9 });
  await screen.shows(/^\[1\/7\] Image Inspection: two \\x1b\[2Jlayers$/);
  await screen.shows(/^\[#{4}-{6}\] {2}42% \[4\/7\] Layer Extraction {2}1\.0 GB of 2\.0 GB, 100 MB\/s, 10 s left$/);
  await node.install(uuid);
  await screen.shows(/^Booting the installed system: .* \(\d+ s\)$/);
  await node.bootInstalled(uuid);
  await screen.shows(/^Configuring the installed system: .* \(\d+ s\)$/);
  await node.cloudInit(uuid, 'done');
  assert.equal(await screen.exitCode, 0);
  assert.match(screen.screen.lines.at(-1) ?? '', new RegExp(`${uuid}\\)$`));
  assert.equal(screen.screen.lines.filter((line) => line.startsWith('[####')).length, 0, 'the live line is gone');
  assert.match(await ok(['provisions', 'node-1']), new RegExp(`completed +100 +${uuid} +installed`));
  const history = await ok(['events', 'node-1', uuid.slice(0, 8)]);
  assert.match(history, /layer_extraction {2}progress {2}42%/);
  assert.match(history, /cloud_init_result {2}done/);
  const [newest] = await json<{ uuid: string }[]>(['provisions', 'node-1']);
  assert.equal(newest?.uuid, uuid);
  assertRefused(await cli(['events', 'node-1', 'ffff']), 2, /node-1 has no run ffff \[object_not_found\]/);
  assertRefused(await cli(['cancel', 'node-1']), 2, /no run that could be canceled \[request_conflict\]/);
});

test('a failed installation ends with the exit code of its cause, the state of the disk and what to do', async () => {
  await using resources = new Resources();
  const { node, cli } = await installable(resources);
  const running = cli(['provision', 'node-1', '--yes']);
  const uuid = (await node.take()).args.provision_uuid;
  await node.tell(uuid, {
    step: 'bootloader_streaming',
    state: 'progress',
    percent: 11,
    bytes_done: 5,
    rate_bps: null,
  });
  const failure = { state: 'failed', percent: 11, message: 'the disk gave EIO', code: 'device_io' } as const;
  await node.tell(uuid, { step: 'bootloader_streaming', ...failure });
  await node.tell(uuid, { step: null, ...failure, disk_state: 'erased', exit_code: 6 });
  const { exitCode, stdout, stderr } = await running;
  assert.equal(exitCode, 6, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /^\[2\/7\] Bootloader Streaming: FAILED$/m);
  assert.match(stderr, /^The disk was erased; nothing on it boots\.$/m);
  assert.match(stderr, /^docs\/errors\.md says what to do about device_io\.$/m);
  assert.match(stderr, /^durantic: the run of node-1 ended as error: the disk gave EIO \[device_io\]$/m);
  assert.ok(!stderr.includes('\x1b'), 'nothing for a terminal');
});

test('--json gives one event a line and then the run; a degraded run is no success', async () => {
  await using resources = new Resources();
  const { node, cli, json, ok } = await installable(resources);
  const running = cli(['provision', 'node-1', '--yes', '--json']);
  const uuid = (await node.take()).args.provision_uuid;
  await node.install(uuid);
  await node.bootInstalled(uuid);
  await node.cloudInit(uuid, 'error', ['users failed']);
  const { exitCode, stdout, stderr } = await running;
  assert.equal(exitCode, 3);
  assert.match(stderr, /ended as degraded \(cloud_init_errors\): .*users failed \[run_not_completed\]\n$/);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual([lines.at(-1).provision.uuid, lines.at(-1).provision.status], [uuid, 'degraded']);
  assert.deepEqual(
    lines.slice(0, -1),
    await json(['events', 'node-1']),
    'the lines are the history, whole and in order',
  );
  assert.match((await cli(['provisions', 'node-1', '--watch'])).stderr, /cloud_init_errors/);
  assert.match(await ok(['provision', 'node-1', '--yes', '--no-wait']), /^node-1: .* \(run [0-9a-f-]{36}\)$/m);
  assertRefused(await cli(['provision', 'node-1', '--yes']), 2, /\[request_conflict\]/);
  assert.match(await ok(['cancel', 'node-1']), /node-1: (the run is canceled|the machine is asked to stop)/);
});

test('^C only stops the watching, and says so; the installation can be watched again', async () => {
  await using resources = new Resources();
  const { node, terminal } = await installable(resources);
  const first = terminal(['provision', 'node-1', '--yes']);
  const uuid = (await node.take()).args.provision_uuid;
  await first.shows(/^Entering the installer/);
  first.type('\x03');
  assert.equal(await first.exitCode, 7);
  assert.match(first.output.replaceAll(/\s+/g, ' '), /not watched any more; the installation goes on/);
  const second = terminal(['provisions', 'node-1', '--watch']);
  await second.shows(/^Entering the installer/);
  const failure = { state: 'failed', percent: 1, message: 'no such tag', code: 'image_not_found' } as const;
  await node.tell(uuid, { step: null, ...failure, disk_state: 'untouched', exit_code: 2 });
  assert.equal(await second.exitCode, 2);
  assert.match(second.output, /The disk was not touched\./);
});

test('machines --watch redraws in place on a terminal of 80 columns: nothing wraps, scrolls or is cleared first', async () => {
  await using resources = new Resources();
  const { node, terminal, machine, server } = await installable(resources);
  for (let index = 0; index < 30; index += 1) machine(`machine-with-a-very-long-name-of-the-rack-number-${index}`);
  const screen = terminal(['machines', '--watch']);
  await screen.shows(/^31 machines, 1 online/);
  await screen.shows(/^node-1 .*● online {2}Discovery mode/);
  await screen.shows(/^… 11 more$/);
  assert.ok(screen.screen.isAlternate && !screen.screen.isCursorShown);
  await server.api('PATCH', `/api/provisioning/machines/${node.uuid}`, { hostname: 'renamed' });
  await screen.shows(/^renamed /);
  screen.type('\x03');
  assert.equal(await screen.exitCode, 0);
  assert.ok(!screen.screen.isAlternate && screen.screen.isCursorShown, 'the terminal is as it was');
  const drawn = screen.output.slice(0, screen.output.indexOf('\x1b[?1049l'));
  assert.equal(screen.screen.wrappedLines, 0);
  assert.ok(!drawn.includes('\x1b[2J') && !drawn.includes('\x1b[J\x1b[H'), 'nothing is cleared before it is drawn');
});
