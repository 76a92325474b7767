import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stopUsers } from '../../../../agent/disk/stop-users.ts';
import type { DiskFacts, DiskUser } from '../../../../agent/disk/types.ts';
import { silentLogger } from '../../../../core/base/logger.ts';
import { diskFacts } from '../hardware/disk-facts.ts';

const ctx = { log: silentLogger, signal: new AbortController().signal };
const swap: DiskUser = { device: '/dev/dm-0', kind: 'swap', detail: 'in use as swap', canStop: true, depth: 3 };
const lvm: DiskUser = {
  device: '/dev/dm-0',
  kind: 'lvm',
  detail: 'LVM volume vg-swap',
  canStop: true,
  depth: 2,
  vgUuid: 'a-b',
};
const md: DiskUser = { device: '/dev/md0', kind: 'md', detail: 'md array (raid1)', canStop: true, depth: 1 };
const mount: DiskUser = { device: '/dev/md0', kind: 'mount', detail: 'mounted at /', canStop: false, depth: 2 };

/** A machine on which commands take users away, and are remembered. */
function machine(users: readonly DiskUser[], options: { readonly stays?: string; readonly volumes?: string } = {}) {
  const commands: string[] = [];
  let left = users;
  const run = async (file: string, args: readonly string[]) => {
    commands.push([file, ...args].join(' '));
    const gone = { swapoff: 'swap', vgchange: 'lvm', mdadm: 'md' }[file];
    if (file !== options.stays) left = left.filter((user) => user.kind !== gone);
    return { stdout: file === 'pvs' ? (options.volumes ?? '  /dev/md0\n') : '', stderr: '', exitCode: 0 };
  };
  const facts = (): DiskFacts => diskFacts({ name: 'sda', users: left });
  return { commands, run, facts, readAgain: async () => facts() };
}

test('F33 users are stopped from the top of the stack, and each is looked for again', async () => {
  const fake = machine([md, lvm, swap]);
  const said = await stopUsers(fake.facts(), fake, ctx);
  assert.deepEqual(
    fake.commands.filter((command) => !command.startsWith('pvs')),
    ['swapoff /dev/dm-0', 'vgchange --activate n --select vg_uuid=a-b', 'mdadm --stop /dev/md0'],
  );
  assert.equal(said.length, 3);
  assert.match(said[2] ?? '', /stopped: \/dev\/md0 \(md array/);
});

test('F33 nothing is stopped when one of the users cannot be', async () => {
  const fake = machine([md, mount]);
  await assert.rejects(stopUsers(fake.facts(), fake, ctx), {
    code: 'disk_busy',
    message: /\/dev\/md0 is mounted at \//,
  });
  assert.deepEqual(fake.commands, []);
});

test('F33 what is still there after it was stopped is an error, not another attempt', async () => {
  const fake = machine([md], { stays: 'mdadm' });
  await assert.rejects(stopUsers(fake.facts(), fake, ctx), { code: 'disk_busy', message: /still in use/ });
  assert.equal(fake.commands.length, 1);
});

test('F33 a volume group with an inactive volume on another disk is refused before it is stopped', async () => {
  const fake = machine([md, lvm], { volumes: '  /dev/md0\n  /dev/sdb1\n' });
  await assert.rejects(stopUsers(fake.facts(), fake, ctx), { code: 'disk_busy', message: /also lies on \/dev\/sdb1/ });
  assert.deepEqual(
    fake.commands.filter((command) => command.startsWith('vgchange')),
    [],
  );
});

test('an idle disk needs nothing', async () => {
  const fake = machine([]);
  assert.deepEqual(await stopUsers(fake.facts(), fake, ctx), []);
  assert.deepEqual(fake.commands, []);
});

for (const [when, reads, stopped] of [
  ['before anything is stopped', 0, []],
  ['after the first stop', 1, ['swapoff /dev/dm-0']],
] as const) {
  test(`F33 a name that has gone over to another disk ${when}: that disk's users are left alone`, async () => {
    const fake = machine([md, swap]);
    const chosen = fake.facts();
    let count = 0;
    const readAgain = async (): Promise<DiskFacts> => {
      count += 1;
      return { ...fake.facts(), serial: count > reads ? 'ANOTHER' : chosen.serial };
    };
    await assert.rejects(stopUsers(chosen, { run: fake.run, readAgain }, ctx), {
      code: 'disk_changed',
      message: /serial number was SER-sda and is ANOTHER/,
    });
    assert.deepEqual(fake.commands, stopped);
  });
}
