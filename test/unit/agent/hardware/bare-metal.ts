import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import type { NetworkInterfaceInfo } from 'node:os';
import { dirname, join } from 'node:path';
import type { ReadInterfaces } from '../../../../agent/hardware/addresses.ts';
import type { Resources } from '../../../resources.ts';
import { FakeSystem } from './fake-system.ts';

export const uuid = '4C4C4544-0042-3510-8056-B4C04F513132';

function address(text: string, internal = false): NetworkInterfaceInfo {
  const isV6 = text.includes(':');
  const common = { address: text, netmask: '', mac: '00:00:00:00:00:00', internal, cidr: null };
  return isV6 ? { ...common, family: 'IPv6', scopeid: 0 } : { ...common, family: 'IPv4' };
}

export const interfaces: ReadInterfaces = () => ({
  lo: [address('127.0.0.1', true), address('::1', true)],
  eno1: [address('192.0.2.7'), address('fe80::1'), address('2001:db8::7')],
  bond0: [address('198.51.100.1'), address('169.254.3.4')],
});

/** Binds a device folder to a driver as the kernel does. */
function bind(system: FakeSystem, device: string, driver: string): void {
  const target = join(system.roots.sysRoot, 'bus/pci/drivers', driver);
  mkdirSync(target, { recursive: true });
  const link = join(system.roots.sysRoot, device, 'driver');
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(target, link);
}

function addCard(system: FakeSystem, name: string, attributes: Readonly<Record<string, string>>): void {
  system.sys(`class/net/${name}/type`, '1');
  for (const [path, value] of Object.entries(attributes)) system.sys(`class/net/${name}/${path}`, value);
}

/** A server with two sockets, a bond, a virtual function, a GPU and two disks. */
export function bareMetal(resources: Resources): FakeSystem {
  const system = new FakeSystem(resources);
  for (const [field, value] of Object.entries({
    product_uuid: uuid,
    sys_vendor: 'Dell Inc.',
    product_name: 'PowerEdge R650',
    product_serial: '5BX5PQ2',
    board_serial: '.5BX5PQ2.CNFCP0012300AB.',
    bios_vendor: 'Dell Inc.',
    bios_version: '1.10.2',
  })) {
    system.sys(`class/dmi/id/${field}`, value);
  }
  const cpus = [0, 1, 2, 3, 4, 5, 6, 7];
  const cpuinfo = cpus.map(
    (cpu) => `processor\t: ${cpu}\nmodel name\t: Intel(R)  Xeon(R) Gold 6338\nflags\t\t: fpu vme\n`,
  );
  mkdirSync(join(system.roots.procRoot, 'sys/kernel'), { recursive: true });
  system.proc('cpuinfo', cpuinfo.join('\n'));
  for (const cpu of cpus) {
    // Two sockets of two cores with two threads each; both sockets number their cores alike.
    system.sys(`devices/system/cpu/cpu${cpu}/topology/physical_package_id`, String(cpu % 2));
    system.sys(`devices/system/cpu/cpu${cpu}/topology/core_id`, String((cpu >> 1) % 2));
  }
  system.sys('devices/system/cpu/cpufreq/boost', '1');
  system.proc('meminfo', 'MemTotal:       263716204 kB\nMemFree: 1 kB\nMemAvailable:   200000000 kB\n');
  system.proc('sys/kernel/hostname', 'node-1\n');
  system.proc('sys/kernel/osrelease', '6.1.0-27-amd64\n');
  addCard(system, 'eno1', {
    address: 'B0:7B:25:AA:00:01',
    addr_assign_type: '0',
    speed: '25000',
    carrier: '1',
    'device/vendor': '0x14e4',
  });
  bind(system, 'class/net/eno1/device', 'bnxt_en');
  addCard(system, 'eno2', {
    address: 'b0:7b:25:aa:00:ff',
    addr_assign_type: '3',
    speed: '-1',
    carrier: '0',
    'bonding_slave/perm_hwaddr': 'b0:7b:25:aa:00:02',
    'device/vendor': '0x14e4',
  });
  addCard(system, 'eno1v0', { address: '2a:11:22:33:44:55', addr_assign_type: '0', 'device/physfn/vendor': '0x14e4' });
  addCard(system, 'usb0', { address: '12:34:56:78:9a:bc', addr_assign_type: '1', 'device/vendor': '0x0' });
  addCard(system, 'bond0', { address: 'b0:7b:25:aa:00:ff', addr_assign_type: '3' });
  addCard(system, 'veth1', { address: '00:00:00:00:00:01', addr_assign_type: '0' });
  system.sys('class/net/ib0/type', '32');
  system.sys('class/net/ib0/address', `${'00:'.repeat(19)}01`);
  system.sys('class/net/ib0/device/vendor', '0x15b3');
  for (const [slot, values] of Object.entries({
    '0000:af:00.0': { class: '0x030200', vendor: '0x10de', device: '0x20b5' },
    '0000:03:00.0': { class: '0x030000', vendor: '0x102b', device: '0x0536' },
    '0000:04:00.0': { class: '0x020000', vendor: '0x14e4', device: '0x1750' },
    '0000:c1:00.0': { class: '0x120000', vendor: '0x1002', device: '0x74a1' },
    '0000:c1:02.0': { class: '0x120000', vendor: '0x1002', device: '0x74b5', physfn: 'of 0000:c1:00.0' },
    '0000:05:00.0': { class: '0x038000', vendor: '0xabcd', device: '0x0001' },
  })) {
    for (const [field, value] of Object.entries(values)) system.sys(`bus/pci/devices/${slot}/${field}`, value);
  }
  bind(system, 'bus/pci/devices/0000:af:00.0', 'nvidia');
  const variable = 'firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';
  mkdirSync(join(system.roots.sysRoot, dirname(variable)), { recursive: true });
  writeFileSync(join(system.roots.sysRoot, variable), Buffer.from([6, 0, 0, 0, 1]));
  addDisks(system);
  return system;
}

function addDisks(system: FakeSystem): void {
  system.add({
    name: 'nvme0n1',
    sizeBytes: 1e12,
    attributes: { wwid: 'eui.0025388b91d3a1f5', serial: 'S64GNE0R', 'device/model': 'SAMSUNG MZQL21T9' },
    at: 'pci0000:00/0000:00:1d.0/nvme/nvme0',
  });
  system.add({ name: 'nvme0n1p1', sizeBytes: 1e11, partitionOf: 'nvme0n1', attributes: { partition: '1' } });
  system.add({ name: 'sda', sizeBytes: 0, at: 'pci0000:00/0000:00:17.0/ata3/host2/target2:0:0/2:0:0:0' });
  system.add({ name: 'loop0', sizeBytes: 1e9 });
  const folder = join(system.roots.devRoot, 'disk/by-id');
  mkdirSync(folder, { recursive: true });
  for (const name of ['nvme-eui.0025388b91d3a1f5', 'nvme-SAMSUNG_MZQL21T9_S64GNE0R']) {
    symlinkSync('../../nvme0n1', join(folder, name));
  }
}
