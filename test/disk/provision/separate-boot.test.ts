import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openSystemDisk } from '../../../agent/boot/open-system-disk.ts';
import { readDisk } from '../../../agent/hardware/read-disk.ts';
import type { ResizedDisk } from '../../../agent/provision/steps/resize-root.ts';
import { partitionTypes } from '../../../agent/rootfs/types.ts';
import { silentLogger } from '../../../core/base/logger.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { noise, smallestSystem } from '../../builders/boot-image.ts';
import { openInstalledDisk } from '../../builders/installed-disk.ts';
import { writeLayout } from '../../builders/oci-image.ts';
import { provisionHere } from '../../builders/provision-here.ts';
import { writeTree } from '../../builders/rootfs-tree.ts';
import { buildTar, type RawEntry } from '../../builders/tar-builder.ts';
import { assertNotBootable, assertNothingHeld, diskBytes } from '../../net/provision/faulty-install.ts';
import { Resources } from '../../resources.ts';
import { growableRoot, makeLayerZero } from '../disk/layer-zero.ts';

const mib = 1024 ** 2;
const linuxData = '0fc63daf-8483-4772-8e79-3d69d8477de4';
const rootUuid = '20000000-0000-4000-8000-000000000003';
const bootUuid = '20000000-0000-4000-8000-000000000004';
const fstab = `UUID=${rootUuid} / ext4 defaults 0 1\nUUID=${bootUuid} /boot ext4 defaults 0 2\n`;
/** As grub-mkconfig writes it where /boot is a partition: paths are those of that partition. */
const grubConfig = `menuentry 'system' {
  search --no-floppy --fs-uuid --set=root ${bootUuid}
  linux /vmlinuz-1 root=UUID=${rootUuid} ro
  initrd /initrd.img-1
}
`;

interface BootImage {
  readonly typeGuid: string;
  /** Files of layer 0's root. */
  readonly layerZero?: Readonly<Record<string, string>>;
}

/** An image with a partition for /boot before the root, whose one layer has a kernel and 12 MB more in boot/. */
async function writeImage(own: Resources, { typeGuid, layerZero = {} }: BootImage): Promise<string> {
  const rootFrom = own.tempDir();
  writeTree(rootFrom, layerZero);
  const { file } = await makeLayerZero(own, {
    ...{ rootFrom, mkfs: [...growableRoot, '-U', rootUuid] },
    boot: { mebibytes: 40, typeGuid, uuid: bootUuid },
  });
  const files: RawEntry[] = [
    { name: 'etc/fstab', data: fstab },
    { name: 'boot/grub/grub.cfg', data: grubConfig },
    { name: 'boot/payload', data: noise(12_000_000) },
  ];
  const layers = [
    { file, codec: 'zstd' },
    { bytes: buildTar([...smallestSystem, ...files]), codec: 'none' },
  ] as const;
  return (await writeLayout(own.tempDir(), { layers })).reference;
}

for (const [name, image] of [
  ['of type XBOOTLDR', { typeGuid: partitionTypes.xbootldr }],
  ["that only layer 0's fstab names", { typeGuid: linuxData, layerZero: { 'etc/fstab': fstab } }],
] as const) {
  test(`a partition for /boot ${name}: what the layers have below it is there, under its new UUID, and read back`, async () => {
    await using own = new Resources();
    const file = own.sparseFile(diskBytes);
    const reference = await writeImage(own, image);
    const { exitCode, events, last } = await provisionHere({
      image: reference,
      disk: file,
      request: { readBack: true },
    });
    assert.equal(exitCode, 0, last?.message ?? '');
    assert.deepEqual(
      events.filter(({ state, message }) => state === 'warning' && message.includes('/boot')),
      [],
    );
    const disk = await openInstalledDisk(own, file);
    const main = disk.partition('root');
    const boot = disk.partitions.find(({ number }) => number === 4);
    assert.ok(boot !== undefined);
    for (const { device } of [main, boot]) await runCommand('e2fsck', ['-f', '-n', device]);
    const root = await own.mount(main.device, { type: 'ext4', options: 'ro' });
    assert.deepEqual(readdirSync(join(root, 'boot')), []);
    assert.ok(boot.fsUuid !== null && boot.fsUuid !== bootUuid);
    const installedFstab = fstab.replace(rootUuid, main.fsUuid ?? '').replace(bootUuid, boot.fsUuid);
    assert.equal(readFileSync(join(root, 'etc/fstab'), 'utf8'), installedFstab);
    const bootFolder = await own.mount(boot.device, { type: 'ext4', options: 'ro' });
    assert.deepEqual(readdirSync(bootFolder).sort(), ['grub', 'initrd.img-1', 'lost+found', 'payload', 'vmlinuz-1']);
    assert.ok(readFileSync(join(bootFolder, 'payload')).equals(noise(12_000_000)));
    const config = readFileSync(join(bootFolder, 'grub/grub.cfg'), 'utf8');
    assert.ok(config.includes(boot.fsUuid) && config.includes(main.fsUuid ?? '?'), config);
    const place = { disk: await readDisk(disk.device), rootNumber: main.number };
    await using system = await openSystemDisk(place, { log: silentLogger, signal: AbortSignal.timeout(60_000) });
    assert.equal(system.layout.bootNumber, 4);
    assert.ok(existsSync(join(system.layout.root, 'boot/vmlinuz-1')), 'its kernel is found where it will be');
  });
}

test("a partition for /boot that only the layers' fstab names: an error that says what is missing, no bootable disk", async () => {
  await using own = new Resources();
  const file = own.sparseFile(diskBytes);
  const reference = await writeImage(own, { typeGuid: linuxData });
  const { exitCode, last } = await provisionHere({ image: reference, disk: file });
  assert.deepEqual(
    [exitCode, last?.code, last?.disk_state],
    [2, 'image_not_provisionable', 'partial'],
    last?.message ?? '',
  );
  assert.match(last?.message ?? '', /mounts partition 4 on \/boot.*XBOOTLDR.*or layer 0 an fstab/);
  await assertNotBootable(file);
  await assertNothingHeld(file);
});

/** A loop device whose medium, a tmpfs, has room for so much less than the device. */
async function deviceWithoutRoom(own: Resources, roomMebibytes: number): Promise<string> {
  const folder = await own.mount('none', { type: 'tmpfs', options: `size=${roomMebibytes}M` });
  const file = join(folder, 'partition.raw');
  await runCommand('truncate', ['-s', String(40 * mib), file]);
  return await own.loop(file);
}

/** An installation in which a partition turns out not to take what was written to it. */
async function installOn(own: Resources, fail: (disk: ResizedDisk) => Promise<void>, at: 'layers' | 'end') {
  const file = own.sparseFile(diskBytes);
  const image = await writeImage(own, { typeGuid: partitionTypes.xbootldr });
  let disk: ResizedDisk | null = null;
  const run = await provisionHere({
    ...{ image, disk: file },
    afterStep: async (step, value) => {
      if (step === 'partition_resize') disk = value as ResizedDisk;
      if (disk !== null && step === (at === 'layers' ? 'partition_resize' : 'agent_injection')) await fail(disk);
    },
  });
  return { ...run, file };
}

test('F60 a /boot partition that loses what was written to it: an error that names it, no bootable disk', async () => {
  await using own = new Resources();
  const device = await deviceWithoutRoom(own, 6);
  await runCommand('mkfs.ext4', ['-q', '-J', 'size=1', device]);
  const fail = async (disk: ResizedDisk): Promise<void> => {
    assert.ok(disk.boot !== null);
    Object.assign(disk.boot, { device });
  };
  const { exitCode, last, file } = await installOn(own, fail, 'layers');
  assert.equal(exitCode, 6, last?.message ?? '');
  assert.match(last?.code ?? '', /^device_(io|full)$/);
  assert.match(last?.message ?? '', new RegExp(`the filesystem on ${device} could not be flushed`));
  assert.equal(last?.disk_state, 'partial');
  await assertNotBootable(file);
  await assertNothingHeld(file);
});

test('F60 a partition that loses what a program wrote to its node: an error that names it, no bootable disk', async () => {
  await using own = new Resources();
  const device = await deviceWithoutRoom(own, 2);
  const fail = async (disk: ResizedDisk): Promise<void> => {
    // As mtools writes to the EFI system partition: nobody looks at the write-back.
    await runCommand('dd', ['if=/dev/urandom', `of=${device}`, 'bs=1M', 'count=8', 'status=none']);
    (disk.devices as Map<number, string>).set(2, device);
  };
  const { exitCode, last, file } = await installOn(own, fail, 'end');
  assert.equal(exitCode, 6, last?.message ?? '');
  assert.match(last?.message ?? '', new RegExp(`^${device} could not be flushed`));
  await assertNotBootable(file);
  await assertNothingHeld(file);
});
