import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CommandContext } from '../../../agent/commands/command-table.ts';
import { readDisk } from '../../../agent/hardware/read-disk.ts';
import type { MachineIdentity } from '../../../agent/identity/read-identity.ts';
import { Outbox } from '../../../agent/link/outbox.ts';
import { openOutbox } from '../../../agent/link/outbox-folder.ts';
import type { Report } from '../../../agent/link/outbox-frames.ts';
import { silentLogger } from '../../../core/base/logger.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { bootInstalledSystem } from '../../../installer/commands/boot-installed-system.ts';
import type { InstallerContext } from '../../../installer/commands/installer-context.ts';
import type { LocalSystem } from '../../../installer/identity/find-local-systems.ts';
import { newIdentity } from '../../builders/agent-fixture.ts';
import { Resources, waitFor } from '../../resources.ts';

const mib = 1024 * 1024;
const signal = AbortSignal.timeout(120_000);
const outboxDir = 'var/lib/durantic/outbox';
const log = (line: string): Report => ({ type: 'log', command_uuid: null, lines: [line] });
const onProblem = (error: Error): void => assert.fail(error);

interface Made {
  readonly system: LocalSystem;
  readonly device: string;
  /** Uses the root file system while it is mounted. */
  inside<T>(use: (root: string) => T): Promise<T>;
}

/** A disk with a system whose agent has this identity and one report of its own that the server lacks. */
async function makeSystem(resources: Resources, identity: MachineIdentity): Promise<Made> {
  const file = resources.sparseFile(128 * mib);
  await runCommand('sgdisk', ['-n', '1:2048:0', '-t', '1:8304', file]);
  const loop = await resources.loop(file);
  await runCommand('partx', ['-a', loop]);
  const device = `${loop}p1`;
  await waitFor('the partition', () => existsSync(device));
  await runCommand('mkfs.ext4', ['-q', device]);
  const inside = async <T>(use: (root: string) => T): Promise<T> => {
    await using own = new Resources();
    return use(await own.mount(device));
  };
  await inside((root) => {
    mkdirSync(join(root, outboxDir), { recursive: true });
    writeFileSync(join(root, 'var/lib/durantic/identity.json'), JSON.stringify(identity));
    openOutbox({ dir: join(root, outboxDir), bootId: 'system-1', onProblem }).add(log('of the system'));
  });
  const disk = await readDisk(loop);
  return { system: { identity, record: null, device, disk, partition: 1 }, device, inside };
}

/** Leaves for the system while the server is away, and gives what the screen said. */
async function bootWithoutServer(identity: MachineIdentity, system: LocalSystem): Promise<string[]> {
  const notices: string[] = [];
  const left: string[] = [];
  const outbox = new Outbox({ bootId: 'installer' });
  const installer: InstallerContext = {
    ...{ identity, outbox, log: silentLogger, runDir: '/nonexistent', proxy: null, agentBundle: null },
    workingLink: () => null,
    findSystems: async () => ({ systems: [system], passedOver: [] }),
    emit: (event) => {
      if (event.kind === 'notice') notices.push(event.text);
    },
    leave: async (how) => void left.push(how),
  };
  const commandUuid = randomUUID();
  const context: CommandContext = {
    ...{ commandUuid, signal, report: () => undefined, progress: () => undefined, running: () => null },
    flush: async () => false,
  };
  const result = await bootInstalledSystem(installer).run({ kexec: 'never' }, context);
  assert.ok(result.state === 'done' && result.afterwards !== undefined);
  outbox.add({ type: 'command_reply', command_uuid: commandUuid, state: 'done', reason: result.reason });
  await result.afterwards();
  assert.deepEqual(left, ['reboot']);
  return notices;
}

test("what the server lacks goes into the outbox of this machine's system, behind its own", async () => {
  await using resources = new Resources();
  const identity = newIdentity();
  const { system, inside } = await makeSystem(resources, identity);
  assert.deepEqual(await bootWithoutServer(identity, system), []);
  const frames = await inside((root) => {
    const dir = join(root, outboxDir);
    assert.deepEqual(readdirSync(dir).sort(), ['00000001.ndjson', '00000002.ndjson']);
    const outbox = openOutbox({ dir, bootId: 'system-2', onProblem });
    return [...outbox.unsent(Symbol('none'))].map(({ frame }) => frame);
  });
  assert.deepEqual(
    frames.map(({ type, boot_id }) => [type, boot_id]),
    [
      ['log', 'system-1'],
      ['command_reply', 'installer'],
    ],
  );
});

test('a root file system with errors is not written, and the machine leaves all the same', async () => {
  await using resources = new Resources();
  const identity = newIdentity();
  const { system, device, inside } = await makeSystem(resources, identity);
  await runCommand('tune2fs', ['-E', 'force_fsck', device]);
  const notices = await bootWithoutServer(identity, system);
  assert.match(
    notices.join(),
    /^The server does not answer and is not told: a command is done .*cannot take it over: .*has errors or was not unmounted/,
  );
  assert.deepEqual(await inside((root) => readdirSync(join(root, outboxDir))), ['00000001.ndjson']);
});

test("another machine's system gets none of the reports", async () => {
  await using resources = new Resources();
  const { system, inside } = await makeSystem(resources, newIdentity());
  const notices = await bootWithoutServer(newIdentity(), system);
  assert.match(notices.join(), /^The server does not answer and is not told: a command is done \([^)]*\)/);
  assert.doesNotMatch(notices.join(), /cannot take it over/, 'it is not even mounted for that');
  // Another partition lies over what was found: the root holds the state of another agent.
  const mine = newIdentity();
  const wrong = await bootWithoutServer(mine, { ...system, identity: mine });
  assert.match(wrong.join(), /does not hold the state of this machine's agent$/);
  const text = await inside((root) => readFileSync(join(root, outboxDir, '00000001.ndjson'), 'utf8'));
  assert.match(text, /of the system/);
  assert.deepEqual(await inside((root) => readdirSync(join(root, outboxDir))), ['00000001.ndjson']);
});
