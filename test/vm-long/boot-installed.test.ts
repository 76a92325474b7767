import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../../core/base/run-command.ts';
import { provisionEventSchema } from '../../protocol/provision-event.ts';
import { Resources } from '../resources.ts';
import { binary, pushDebianImage } from '../vm/debian-image.ts';
import { bootInstalled, checkTables, type InstalledFacts, proofUserData } from '../vm/installed-guest.ts';

const gib = 1024 ** 3;

test('one image installed twice boots under SeaBIOS and OVMF, each system whole and with an identity of its own', async () => {
  await using resources = new Resources();
  const { reference } = await pushDebianImage(resources);
  const machines = [
    { firmware: 'seabios', hostname: 'first-machine', diskBytes: 6 * gib, bus: 'virtio' },
    { firmware: 'ovmf', hostname: 'second-machine', diskBytes: 20 * gib, bus: 'nvme' },
  ] as const;
  const disks: string[] = [];
  for (const machine of machines) {
    const file = resources.sparseFile(machine.diskBytes);
    const began = Date.now();
    await provision(resources, { file, reference, hostname: machine.hostname });
    console.log(`${machine.hostname}: installed in ${((Date.now() - began) / 1000).toFixed(1)} s`);
    await checkTables(file);
    disks.push(file);
  }
  // Side by side: one guest alone does not keep two cores busy.
  const runs = await Promise.all(
    machines.map(({ firmware, bus }, index) =>
      bootInstalled(resources, { file: disks[index] ?? '', bus }, { firmware, timeoutMs: 600_000 }),
    ),
  );
  for (const [index, { facts, seconds }] of runs.entries()) {
    const machine = machines[index];
    assert.ok(machine !== undefined);
    console.log(`${machine.firmware}: proof and power-off after ${seconds.toFixed(1)} s`);
    assertWhole(facts, machine);
  }
  const [first, second] = runs.map(({ facts }) => identifiersOf(facts));
  assert.ok(first !== undefined && second !== undefined);
  assert.equal(first.length, second.length);
  const shared = first.filter((identifier) => second.includes(identifier));
  assert.deepEqual(shared, [], 'two installations share no identifier');
  console.log(`${first.length} identifiers each, none shared`);
});

function assertWhole(
  facts: InstalledFacts,
  machine: { readonly firmware: string; readonly hostname: string; readonly diskBytes: number },
): void {
  assert.equal(facts.efi, machine.firmware === 'ovmf');
  assert.equal(facts.hostname, machine.hostname);
  assert.equal(facts.disk_bytes, machine.diskBytes);
  const partitions = facts.blocks.flatMap(({ children }) => children);
  const root = partitions.find(({ name }) => facts.root.source === `/dev/${name}`);
  assert.ok(root !== undefined, `the root ${facts.root.source} is on the disk`);
  // The last partition begins behind an ESP of 256 MiB and ends where the disk does.
  assert.ok(root.size > machine.diskBytes - 300 * 1024 ** 2, `the root partition has ${root.size} bytes`);
  assert.ok(facts.root.size > root.size * 0.94, `the filesystem has ${facts.root.size} of ${root.size} bytes`);
  assert.match(facts.root.options, /^rw\b/);
  assert.ok(facts.cmdline.includes(`root=UUID=${facts.root.uuid}`), `kernel parameters: ${facts.cmdline}`);
  assert.ok(facts.mounts.includes('/boot/efi'), `mounted: ${facts.mounts}`);
  assert.deepEqual(facts.cloud_init.errors, []);
  assert.match(facts.cloud_init.datasource, /NoCloud/);
  assert.match(facts.machine_id, /^[0-9a-f]{32}$/);
  assert.match(facts.instance_id, /^[0-9a-f-]{36}$/);
  assert.equal(facts.not_enrolled, 1, 'the agent says once that it is not enrolled');
  assert.deepEqual(facts.agent, {
    NRestarts: '0',
    ActiveState: 'active',
    SubState: 'running',
    UnitFileState: 'enabled',
  });
  assert.match(facts.agent_version ?? '', /\d+\.\d+\.\d+/);
  assert.deepEqual(facts.failed_units, []);
}

/** Everything that tells this machine from another: each must be there, and once. */
function identifiersOf(facts: InstalledFacts): string[] {
  const partitions = facts.blocks.flatMap(({ children }) => children);
  const tables = new Set(partitions.map(({ ptuuid }) => ptuuid));
  const identifiers = [
    facts.machine_id,
    facts.instance_id,
    ...facts.ssh_host_keys,
    ...tables,
    ...partitions.map(({ partuuid }) => partuuid),
    // The BIOS boot partition holds no filesystem.
    ...partitions.filter(({ fstype }) => fstype !== null).map(({ uuid }) => uuid),
  ].map((identifier) => identifier ?? '');
  assert.ok(facts.ssh_host_keys.length >= 2, `host keys: ${facts.ssh_host_keys}`);
  assert.ok(partitions.length >= 3 && tables.size === 1, `partitions: ${JSON.stringify(partitions)}`);
  assert.ok(
    identifiers.every((identifier) => identifier !== ''),
    `identifiers: ${identifiers}`,
  );
  assert.equal(new Set(identifiers).size, identifiers.length, `identifiers: ${identifiers}`);
  return identifiers;
}

async function provision(
  resources: Resources,
  install: { readonly file: string; readonly reference: string; readonly hostname: string },
): Promise<void> {
  const userData = join(resources.tempDir(), 'user-data');
  writeFileSync(userData, proofUserData({ waitsForAgent: true }));
  const where = ['--image', install.reference, '--plain-http', '--disk', install.file];
  const what = ['--user-data', userData, '--hostname', install.hostname];
  const args = ['provision', ...where, ...what, '--boot', 'none', '--yes', '--json'];
  const { stdout } = await runCommand(binary, args);
  // An exit code of 0 alone is no success: a program that ran out of work halfway has it too.
  const last = provisionEventSchema.parse(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''));
  assert.deepEqual([last.step, last.state, last.exit_code], [null, 'succeeded', 0], last.message);
}
