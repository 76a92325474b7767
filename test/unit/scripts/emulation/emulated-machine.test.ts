import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { emulatedMachine } from '../../../../scripts/emulation/emulated-machine.ts';
import { readEmulationFlags } from '../../../../scripts/emulation/emulation-flags.ts';
import { openDisks, openState, saveState } from '../../../../scripts/emulation/emulation-state.ts';
import { hasSystem } from '../../../../scripts/emulation/has-system.ts';
import { Resources } from '../../../resources.ts';
import type { MediumParts } from '../../../vm/installer-media.ts';
import { qemuArguments, vmFiles } from '../../../vm/qemu-arguments.ts';

const pickPort = async (): Promise<number> => 8443;
const kernel: MediumParts = { kernel: { file: '/dist/vmlinuz', append: 'durantic.server=https://10.0.2.2:8443' } };

/** QEMU's arguments for those of the script, each option with its value. */
async function commandOf(
  resources: Resources,
  line: string,
  medium: MediumParts | null = kernel,
): Promise<{ pairs: string[]; state: Awaited<ReturnType<typeof openState>> }> {
  const flags = readEmulationFlags(['--firmware', 'bios', ...line.split(' ').filter(Boolean)]);
  assert.ok(flags !== null);
  const dir = resources.tempDir();
  const state = await openState(dir, { ...flags, pickPort });
  const disks = openDisks(dir, flags.disks);
  const guest = emulatedMachine({ flags, state, dir, disks, medium, isTerminal: true });
  const args = qemuArguments(guest, vmFiles(dir), 'n');
  return { pairs: args.map((value, index) => `${args[index - 1]} ${value}`), state };
}

const has = (pairs: readonly string[], pattern: RegExp): boolean => pairs.some((pair) => pattern.test(pair));

test('without options: the kernel with its parameters, one card, one disk, the console in the terminal', async () => {
  await using resources = new Resources();
  const { pairs, state } = await commandOf(resources, '');
  assert.ok(
    has(pairs, /^-kernel \/dist\/vmlinuz$/) && has(pairs, /^-append durantic\.server=https:\/\/10\.0\.2\.2:8443$/),
  );
  assert.ok(has(pairs, new RegExp(`^-smbios type=1,uuid=${state.identity.smbiosUuid},`)));
  assert.ok(has(pairs, new RegExp(`^-device virtio-net-pci,.*mac=${state.identity.macs[0]}`)));
  assert.equal(pairs.filter((pair) => pair.startsWith('-netdev')).length, 1);
  assert.ok(has(pairs, /^-device virtio-blk-pci,.*serial=DISK0,.*bootindex=1$/));
  assert.ok(
    has(pairs, /^-chardev stdio,id=console,signal=on/) && has(pairs, /^-m 1024$/) && has(pairs, /^-smp 2,sockets=2$/),
  );
  assert.ok(has(pairs, /-no-reboot$/) && !has(pairs, /bootindex=0/));
  assert.ok(has(pairs, /^-accel tcg/));
});

test('cards, disks, memory, processors, view and accelerator are what was asked for', async () => {
  await using resources = new Resources();
  const { pairs } = await commandOf(
    resources,
    '--nics 3:virtio,e1000e,vmxnet3 --disks 2:nvme:4k:20G --disks 1:usb --memory 512 --cpus 1 --vnc 7 --kvm',
  );
  const cards = pairs.filter((pair) => /^-device .*netdev=net\d/.test(pair)).map((pair) => pair.split(/[ ,]/)[1]);
  assert.deepEqual(cards, ['virtio-net-pci', 'e1000e', 'vmxnet3']);
  assert.ok(has(pairs, /^-netdev user,id=net0,restrict=off$/), 'the first card reaches the server');
  assert.ok(has(pairs, /^-netdev user,id=net2,restrict=on,net=10\.0\.4\.0\/24$/), 'the third reaches nothing');
  assert.equal(pairs.filter((pair) => /^-device nvme,.*logical_block_size=4096/.test(pair)).length, 2);
  const file = /"filename":"([^"]*disk1-20480M\.raw)"/.exec(pairs.join('\n'))?.[1] ?? '';
  assert.equal(statSync(file).size, 20 * 1024 ** 3);
  assert.ok(has(pairs, /^-device usb-storage,/) && has(pairs, /^-m 512$/) && has(pairs, /^-smp 1,sockets=1$/));
  assert.ok(has(pairs, /^-display vnc=127\.0\.0\.1:7$/) && has(pairs, /^-accel kvm$/));
  assert.ok(has(pairs, /^-chardev socket,id=console/));
});

test('a medium is tried before the disks; without one the disk is first and a reboot is the machine’s own', async () => {
  await using resources = new Resources();
  const iso = { disk: { file: '/x.iso', bus: 'ahci', isOptical: true, bootIndex: 0, id: 'medium' } } as const;
  const withIso = await commandOf(resources, '--media iso', iso);
  assert.ok(has(withIso.pairs, /^-device ide-cd,drive=medium-image,.*bootindex=0/));
  assert.ok(has(withIso.pairs, /^-device virtio-blk-pci,.*bootindex=1/));
  const network = { network: { hasBootRom: true, bootIndex: 0, bootFile: 'http://10.0.2.2:80/boot/ipxe' } } as const;
  const withNetwork = await commandOf(resources, '--media ipxe --nics 2', network);
  assert.ok(has(withNetwork.pairs, /^-netdev user,id=net0,.*bootfile=http:\/\/10\.0\.2\.2:80\/boot\/ipxe$/));
  assert.ok(has(withNetwork.pairs, /^-device virtio-net-pci,netdev=net0,[^ ]*bootindex=0$/), 'with its boot ROM');
  assert.ok(has(withNetwork.pairs, /^-device virtio-net-pci,netdev=net1,.*romfile=$/));
  const fromDisk = await commandOf(resources, '--media disk', null);
  assert.ok(has(fromDisk.pairs, /^-device virtio-blk-pci,.*bootindex=0/) && !has(fromDisk.pairs, /-no-reboot$/));
});

const refused: readonly [string, RegExp][] = [
  ['--media floppy', /--media: "floppy" is none of direct, iso/],
  ['--firmware coreboot', /--firmware: "coreboot"/],
  ['--nics 2:tulip', /--nics: "tulip" is none of virtio/],
  ['--nics 1:virtio,e1000', /names more models than cards/],
  ['--nics many', /does not begin with a number/],
  ['--disks nvme', /does not begin with a number/],
  ['--disks 1:floppy', /"floppy" is no bus/],
  ['--disks 1:0G', /"0G" is no bus/],
  ['--disks 1:ahci:4k', /no AHCI disks with 4k/],
  ['--disks 9 --disks 9', /18 disks are more than 16/],
  ['--memory 1', /--memory: "1"/],
  ['--display --serial', /--serial and --display exclude each other/],
  ['--token --approval', /exclude each other/],
  ['--server https://a --no-server', /exclude each other/],
  ['--server ftp://a', /--server: "ftp:\/\/a" is not/],
  ['--boot-url http://a', /--boot-url belongs to --server URL/],
  ['--media ipxe --server https://a', /needs --boot-url/],
  ['--media ipxe --no-server', /needs a server/],
  ['--media tftp --firmware bios', /needs --firmware uefi/],
  ['--media iso --append quiet', /--append is for --media direct/],
  ['--image debian-12 --no-server', /--image is for a server that is started here/],
  ['--image debian-12 --server https://a', /--image is for a server that is started here/],
  ['--media disk --disks 0', /needs a disk/],
  ['5', /what is "5"/],
];
test('what makes no sense is refused by name', () => {
  for (const [line, message] of refused) assert.throws(() => readEmulationFlags(line.split(' ')), message, line);
  assert.equal(readEmulationFlags(['--help']), null);
  assert.deepEqual(readEmulationFlags(['--vnc', '5'])?.view, { vnc: 5 });
  assert.deepEqual(readEmulationFlags(['--server', 'https://a:1/'])?.server, {
    kind: 'given',
    url: 'https://a:1',
    bootUrl: null,
  });
});

test('the machine stays the same one until it is to be fresh; its state is private, and only its own folder is emptied', async () => {
  await using resources = new Resources();
  const dir = join(resources.tempDir(), 'state');
  const first = await openState(dir, { isFresh: false, pickPort });
  saveState(dir, { ...first, apiToken: 'dur_x' });
  assert.equal(statSync(join(dir, 'state.json')).mode & 0o777, 0o600);
  assert.deepEqual(await openState(dir, { isFresh: false, pickPort }), { ...first, apiToken: 'dur_x' });
  const [disk] = openDisks(dir, [{ bus: 'virtio', sectorBytes: 512, sizeBytes: 1024 ** 2 }]);
  assert.ok(disk !== undefined && !hasSystem(disk));
  writeFileSync(disk.file, readFileSync(disk.file).fill(1, 510, 512));
  assert.ok(hasSystem(disk));
  assert.ok(hasSystem(openDisks(dir, [{ bus: 'nvme', sectorBytes: 512, sizeBytes: 1024 ** 2 }])[0] ?? disk), 'kept');
  // As an earlier version left it.
  const { registryPort: _, ...older } = first;
  writeFileSync(join(dir, 'state.json'), JSON.stringify(older));
  const completed = await openState(dir, { isFresh: false, pickPort: async () => 5000 });
  assert.deepEqual(completed, { ...first, registryPort: 5000 });
  assert.deepEqual(await openState(dir, { isFresh: false, pickPort }), completed, 'images keep their registry');
  const next = await openState(dir, { isFresh: true, pickPort });
  assert.notEqual(next.identity.smbiosUuid, first.identity.smbiosUuid);
  assert.ok(next.apiToken === null && !existsSync(disk.file));
  const foreign = resources.tempDir();
  writeFileSync(join(foreign, 'mine'), '');
  await openState(foreign, { isFresh: true, pickPort });
  assert.ok(existsSync(join(foreign, 'mine')), 'a folder that holds no state is not emptied');
});
