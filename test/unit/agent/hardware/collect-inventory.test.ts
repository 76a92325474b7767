import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { collectFacts, hostFacts } from '../../../../agent/hardware/collect-facts.ts';
import { collectInventory } from '../../../../agent/hardware/collect-inventory.ts';
import { readLoad } from '../../../../agent/hardware/read-load.ts';
import { readRootDisk } from '../../../../agent/hardware/root-disk.ts';
import { inventorySchema } from '../../../../protocol/inventory.ts';
import { machineFactsSchema } from '../../../../protocol/machine-facts.ts';
import { Resources } from '../../../resources.ts';
import { bareMetal, interfaces, uuid } from './bare-metal.ts';
import { FakeSystem } from './fake-system.ts';

test('facts of a server: permanent addresses of its cards only, SMBIOS as the firmware has it', async () => {
  await using resources = new Resources();
  const { roots } = bareMetal(resources);
  const facts = await collectFacts('installer', { roots, interfaces });
  assert.deepEqual(machineFactsSchema.parse(facts), facts);
  const { agent_version: _version, architecture: _architecture, ...rest } = facts;
  assert.deepEqual(rest, {
    hostname: 'node-1',
    system_uuid: uuid.toLowerCase(),
    system_vendor: 'Dell Inc.',
    product_name: 'PowerEdge R650',
    system_serial: '5BX5PQ2',
    board_serial: '.5BX5PQ2.CNFCP0012300AB.',
    firmware: 'uefi',
    mode: 'installer',
    nics: [
      { name: 'eno1', mac: 'b0:7b:25:aa:00:01' },
      { name: 'eno2', mac: 'b0:7b:25:aa:00:02' },
    ],
    addresses: ['192.0.2.7', '2001:db8::7', '198.51.100.1'],
  });
});

test('the inventory of a server', async () => {
  await using resources = new Resources();
  const { roots } = bareMetal(resources);
  const osReleaseFile = join(resources.tempDir(), 'os-release');
  writeFileSync(osReleaseFile, 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n');
  const inventory = await collectInventory({ roots, interfaces, osReleaseFile });
  assert.deepEqual(inventorySchema.parse(inventory), inventory);
  assert.deepEqual(inventory, {
    cpu: { model: 'Intel(R) Xeon(R) Gold 6338', sockets: 2, cores: 4, threads: 8 },
    memory_bytes: 263716204 * 1024,
    disks: [
      {
        path: '/dev/nvme0n1',
        by_id: 'nvme-SAMSUNG_MZQL21T9_S64GNE0R',
        serial: 'S64GNE0R',
        wwn: '0025388b91d3a1f5',
        model: 'SAMSUNG MZQL21T9',
        size_bytes: 1e12,
        sector_bytes: 512,
        transport: 'nvme',
        is_eligible: true,
        reason: null,
      },
      {
        path: '/dev/sda',
        by_id: null,
        serial: null,
        wwn: null,
        model: null,
        size_bytes: 0,
        sector_bytes: 512,
        transport: 'sata',
        is_eligible: false,
        reason: '/dev/sda has size 0 (no medium, or a virtual drive without one)',
      },
    ],
    nics: [
      {
        name: 'eno1',
        mac: 'b0:7b:25:aa:00:01',
        driver: 'bnxt_en',
        speed_mbps: 25000,
        has_carrier: true,
        addresses: ['192.0.2.7', '2001:db8::7'],
      },
      { name: 'eno2', mac: 'b0:7b:25:aa:00:02', driver: null, speed_mbps: null, has_carrier: false, addresses: [] },
      { name: 'usb0', mac: '12:34:56:78:9a:bc', driver: null, speed_mbps: null, has_carrier: null, addresses: [] },
    ],
    gpus: [
      { vendor: 'Matrox', device: '0x0536', driver: null },
      { vendor: '0xabcd', device: '0x0001', driver: null },
      { vendor: 'NVIDIA', device: '0x20b5', driver: 'nvidia' },
      { vendor: 'AMD', device: '0x74a1', driver: null },
    ],
    firmware: { kind: 'uefi', vendor: 'Dell Inc.', version: '1.10.2', secure_boot: true },
    virtualisation: 'none',
    kernel: '6.1.0-27-amd64',
    os: 'Debian GNU/Linux 12 (bookworm)',
  });
});

test('a machine that says nothing gives nulls, and what the firmware left blank is none', async () => {
  await using resources = new Resources();
  const system = new FakeSystem(resources);
  const { roots } = system;
  const empty = await collectInventory({ roots, interfaces: () => ({}), osReleaseFile: '/nonexistent' });
  assert.deepEqual(empty.cpu, { model: null, sockets: null, cores: null, threads: null });
  assert.deepEqual(empty.firmware, { kind: 'bios', vendor: null, version: null, secure_boot: null });
  assert.deepEqual([empty.memory_bytes, empty.kernel, empty.os, empty.virtualisation], [null, null, null, 'none']);
  for (const [field, value] of Object.entries({
    product_uuid: 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
    sys_vendor: 'To Be Filled By O.E.M.',
    product_name: 'System Product Name',
    product_serial: 'Default string',
    board_serial: '..............',
  })) {
    system.sys(`class/dmi/id/${field}`, value);
  }
  const facts = await collectFacts('installed', { roots, interfaces: () => ({}) });
  const { system_uuid, system_vendor, product_name, system_serial, board_serial } = facts;
  const fields = [system_uuid, system_vendor, product_name, system_serial, board_serial];
  assert.deepEqual(fields, [null, null, null, null, null]);
  mkdirSync(join(roots.procRoot, 'sys/kernel'), { recursive: true });
  system.proc('sys/kernel/hostname', '(none)\n');
  assert.deepEqual(await hostFacts({ roots, interfaces: () => ({}) }), { hostname: null, addresses: [] });
});

const machines: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
  ['kvm', { sys_vendor: 'QEMU', clock: 'tsc kvm-clock' }, 'hypervisor'],
  ['qemu', { sys_vendor: 'QEMU' }, 'hypervisor'],
  ['vmware', { sys_vendor: 'VMware, Inc.' }, 'hypervisor'],
  ['oracle', { product_name: 'VirtualBox' }, 'hypervisor'],
  ['microsoft', { sys_vendor: 'Microsoft Corporation' }, 'hypervisor'],
  ['amazon', { sys_vendor: 'Amazon EC2', clock: 'kvm-clock' }, 'hypervisor'],
  ['google', { product_name: 'Google Compute Engine' }, 'hypervisor'],
  ['vm-other', { sys_vendor: 'Somebody' }, 'hypervisor'],
  // A bare-metal machine of a cloud names the cloud too.
  ['none', { sys_vendor: 'Amazon EC2' }, 'fpu'],
  ['xen', { xen: 'xen' }, 'fpu'],
];
for (const [name, { clock, xen, ...smbios }, flag] of machines) {
  test(`virtualisation ${name}`, async () => {
    await using resources = new Resources();
    const system = new FakeSystem(resources);
    for (const [field, value] of Object.entries(smbios)) system.sys(`class/dmi/id/${field}`, value);
    if (clock !== undefined) system.sys('devices/system/clocksource/clocksource0/available_clocksource', clock);
    if (xen !== undefined) system.sys('hypervisor/type', xen);
    system.proc('cpuinfo', `processor : 0\nflags\t\t: fpu ${flag}\n`);
    const inventory = await collectInventory({ roots: system.roots, interfaces: () => ({}) });
    assert.equal(inventory.virtualisation, name);
  });
}

test('load and memory are those of procfs', async () => {
  await using resources = new Resources();
  const system = new FakeSystem(resources);
  system.proc('loadavg', '0.52 1.5 12.25 1/123 4567\n');
  system.proc('uptime', '3600.5 7000.1\n');
  system.proc('meminfo', 'MemTotal: 1000 kB\nMemAvailable: 250 kB\n');
  assert.deepEqual(await readLoad(system.roots), {
    uptime_seconds: 3600.5,
    load: [0.52, 1.5, 12.25],
    memory_total_bytes: 1_024_000,
    memory_available_bytes: 256_000,
  });
});

test('the root disk is found through partition and LVM; an overlay or two disks give none', async () => {
  await using resources = new Resources();
  const system = new FakeSystem(resources);
  const attributes = { serial: 'S1', wwid: 'eui.01' };
  system.add({ name: 'nvme0n1', sizeBytes: 1e12, attributes });
  const part = system.add({
    name: 'nvme0n1p2',
    sizeBytes: 1e11,
    partitionOf: 'nvme0n1',
    attributes: { partition: '2' },
  });
  system.add({ name: 'sdb', sizeBytes: 1e12 });
  const onLvm = system.add({ name: 'dm-0', sizeBytes: 1e10, slaves: ['nvme0n1p2'] });
  const onTwo = system.add({ name: 'dm-1', sizeBytes: 1e10, slaves: ['nvme0n1p2', 'sdb'] });
  const mount = (devno: string): string => `21 1 ${devno} / / rw,relatime shared:1 - ext4 /dev/x rw\n`;
  const of = async (mountinfo: string) => {
    system.proc('self/mountinfo', mountinfo);
    return await readRootDisk(system.roots);
  };
  assert.deepEqual(await of(mount(part)), { serial: 'S1', wwn: '01' });
  assert.deepEqual(await of(mount('0:1') + mount(onLvm)), { serial: 'S1', wwn: '01' });
  assert.equal(await of(mount(onTwo)), null);
  assert.equal(await of(mount('0:42')), null);
  assert.equal(await of(''), null);
});
