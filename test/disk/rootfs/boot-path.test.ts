import assert from 'node:assert/strict';
import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type BootEvidence, type BootPathInput, validateBootPath } from '../../../agent/boot/validate-boot-path.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { cloneDisk, type DiskFixture, makeDiskFixture, readAt, writeAt } from '../../builders/loop-disk.ts';
import { kernelFile, peFile, quietContext } from '../../builders/rootfs-tree.ts';
import { Resources } from '../../resources.ts';

const mib = 1024 * 1024;
const firmwares = ['bios', 'uefi', 'either'] as const;

const shared = new Resources();
after(() => shared[Symbol.asyncDispose]());
let template: Promise<DiskFixture> | undefined;

/** A disk that boots; every test damages a copy of its own. */
async function bootableDisk(resources: Resources): Promise<DiskFixture> {
  template ??= makeBootable(shared);
  return await cloneDisk(resources, await template);
}

async function makeBootable(resources: Resources): Promise<DiskFixture> {
  const disk = await makeDiskFixture(resources, {
    rootTree: { 'boot/vmlinuz': kernelFile(), 'boot/initrd.img': 'initrd' },
    espTree: { 'EFI/BOOT/BOOTX64.EFI': peFile(), 'EFI/debian/grub.cfg': '' },
  });
  const uuid = disk.partitions[2]?.fsUuid;
  const entry = `linux /boot/vmlinuz root=UUID=${uuid} ro\n  initrd /boot/initrd.img`;
  await runCommand('mkdir', ['-p', join(disk.root, 'boot/grub')]);
  writeFileSync(join(disk.root, 'boot/grub/grub.cfg'), `menuentry Debian {\n  ${entry}\n}\n`);
  await putOnEsp(resources, disk, '/EFI/debian/grub.cfg', stub(uuid));
  return disk;
}

const stub = (uuid: string | null | undefined): string =>
  `search.fs_uuid ${uuid} root hd0,gpt3\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n`;

function input(disk: DiskFixture, firmware: BootPathInput['firmware']): BootPathInput {
  return { ...disk.layout, firmware, head: disk.readHead(), biosBoot: { device: disk.biosDevice, startBytes: mib } };
}

async function validate(disk: DiskFixture, firmware: BootPathInput['firmware']): Promise<BootEvidence> {
  return await validateBootPath(input(disk, firmware), quietContext);
}

test('a disk that boots by BIOS and UEFI gives evidence of both', async () => {
  await using resources = new Resources();
  const disk = await bootableDisk(resources);
  for (const firmware of firmwares) {
    const evidence = await validate(disk, firmware);
    assert.deepEqual(evidence.firmware, firmware === 'either' ? ['bios', 'uefi'] : [firmware]);
    assert.deepEqual(evidence.warnings, []);
    assert.deepEqual(evidence.entry.kernel, { on: 'root', path: '/boot/vmlinuz' });
  }
  const evidence = await validate(disk, 'either');
  assert.match(
    evidence.lines.join('\n'),
    /GRUB core.*\n.*grub\.cfg starts "Debian"[\s\S]*BOOTX64\.EFI[\s\S]*esp:\/EFI\/debian\/grub\.cfg starts/,
  );
});

/** Each takes one link out of the chain: which firmware still boots, and what is said of the other. */
const damages: readonly (readonly [
  string,
  (disk: DiskFixture, resources: Resources) => Promise<void> | void,
  string,
  RegExp,
])[] = [
  ['zero boot code', (disk) => writeAt(disk.disk, Buffer.alloc(440), 0), 'uefi', /no boot code/],
  [
    'an empty BIOS boot partition',
    (disk) => writeAt(disk.biosDevice, Buffer.alloc(mib), 0),
    'uefi',
    /BIOS boot partition is empty/,
  ],
  ['a core somewhere else', (disk) => shiftCore(disk), 'uefi', /loads GRUB from byte 2097152/],
  ['no loader on the ESP', (disk) => remove(disk, '/EFI/BOOT/BOOTX64.EFI'), 'bios', /has no \/EFI\/BOOT\/BOOTX64\.EFI/],
  [
    'a loader that is text',
    (disk, r) => putOnEsp(r, disk, '/EFI/BOOT/BOOTX64.EFI', 'hello'),
    'bios',
    /no EFI program for x86-64/,
  ],
  [
    'a loader for another architecture',
    (disk, r) => putOnEsp(r, disk, '/EFI/BOOT/BOOTX64.EFI', peFile({ machine: 0xaa64 })),
    'bios',
    /no EFI program/,
  ],
  [
    'a loader that is cut off',
    (disk, r) => putOnEsp(r, disk, '/EFI/BOOT/BOOTX64.EFI', peFile().subarray(0, 600)),
    'bios',
    /is cut off/,
  ],
  [
    'a stub for another filesystem',
    (disk, r) => putOnEsp(r, disk, '/EFI/debian/grub.cfg', stub('99999999-1111-4111-8111-999999999999')),
    'bios',
    /looks for 99999999/,
  ],
  [
    'an ESP without a filesystem',
    (disk) => writeAt(disk.espDevice, Buffer.alloc(mib), 0),
    'bios',
    /no FAT filesystem that can be read/,
  ],
  ['no kernel', (disk) => rmSync(join(disk.root, 'boot/vmlinuz')), 'none', /vmlinuz, which does not exist/],
  ['an empty kernel', (disk) => truncateSync(join(disk.root, 'boot/vmlinuz'), 0), 'none', /is no Linux kernel/],
  [
    'a kernel of zeros',
    (disk) => writeFileSync(join(disk.root, 'boot/vmlinuz'), Buffer.alloc(8192)),
    'none',
    /is no Linux kernel/,
  ],
  ['an empty initrd', (disk) => truncateSync(join(disk.root, 'boot/initrd.img'), 0), 'none', /is empty/],
  ['no grub.cfg', (disk) => rmSync(join(disk.root, 'boot/grub/grub.cfg')), 'none', /no configuration/],
  [
    'another root',
    (disk) => writeFileSync(join(disk.root, 'boot/grub/grub.cfg'), 'menuentry x { linux /boot/vmlinuz root=LABEL=x; }'),
    'none',
    /root=LABEL=x, but the installed root has/,
  ],
];
for (const [name, damage, survivor, expected] of damages) {
  test(`${name}: ${survivor} is left`, async () => {
    await using resources = new Resources();
    const disk = await bootableDisk(resources);
    await damage(disk, resources);
    for (const firmware of ['bios', 'uefi'] as const) {
      if (firmware === survivor) assert.deepEqual((await validate(disk, firmware)).firmware, [firmware]);
      else await assert.rejects(validate(disk, firmware), { code: 'boot_path_invalid' }, firmware);
    }
    if (survivor === 'none')
      await assert.rejects(validate(disk, 'either'), { code: 'boot_path_invalid', message: expected });
    else {
      const evidence = await validate(disk, 'either');
      assert.deepEqual(evidence.firmware, [survivor]);
      assert.match(evidence.warnings.join(), expected);
    }
  });
}

test('systemd-boot: loader entries and kernel on the ESP', async () => {
  await using resources = new Resources();
  const disk = await makeDiskFixture(resources, {
    grubCore: null,
    espTree: {
      'EFI/BOOT/BOOTX64.EFI': peFile({ text: '#### LoaderInfo: systemd-boot 252 ####' }),
      'loader/loader.conf': 'default old*\n',
      'loader/entries/new.conf': 'title new\nversion 2\nlinux /vmlinuz\noptions quiet\n',
      'loader/entries/old.conf': 'title old\nversion 1\nlinux /vmlinuz\ninitrd /initrd\noptions quiet\n',
      vmlinuz: kernelFile(),
      initrd: 'i',
    },
  });
  const evidence = await validate(disk, 'uefi');
  assert.equal(evidence.entry.title, 'old');
  assert.deepEqual(evidence.entry.initrds, [{ on: 'esp', path: '/initrd' }]);
  await remove(disk, '/initrd');
  await assert.rejects(validate(disk, 'uefi'), {
    code: 'boot_path_invalid',
    message: /loads \/initrd, which does not exist/,
  });
});

test('a disk that nothing can boot is refused whichever firmware is asked for', async () => {
  await using resources = new Resources();
  const disk = await makeDiskFixture(resources, { grubCore: null });
  for (const firmware of firmwares) await assert.rejects(validate(disk, firmware), { code: 'boot_path_invalid' });
  const bare = { ...input(disk, 'uefi'), espDevice: null, espNumber: null };
  await assert.rejects(validateBootPath(bare, quietContext), { message: /no EFI system partition/ });
  const noBios = { ...input(disk, 'bios'), biosBoot: null, head: Buffer.alloc(512, 0xaa) };
  noBios.head.writeUInt16LE(0xaa55, 510);
  await assert.rejects(validateBootPath(noBios, quietContext), { message: /no BIOS boot partition/ });
});

function shiftCore(disk: DiskFixture): void {
  const head = readAt(disk.disk, 512);
  head.writeBigUInt64LE(4096n, 0x5c);
  writeAt(disk.disk, head, 0);
}

async function remove(disk: DiskFixture, path: string): Promise<void> {
  await runCommand('mdel', ['-i', disk.espDevice, `::${path}`]);
}

async function putOnEsp(
  resources: Resources,
  disk: DiskFixture,
  path: string,
  data: string | Uint8Array,
): Promise<void> {
  const file = join(resources.tempDir(), 'file');
  writeFileSync(file, data);
  await runCommand('mcopy', ['-o', '-i', disk.espDevice, file, `::${path}`]);
}
