import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCommand } from '../../../core/base/run-command.ts';
import { fixedIdentities } from '../../../images/build/disk-plan.ts';
import { makeBootDisk, smallestSystem, writeBootImage } from '../../builders/boot-image.ts';
import {
  checkInstalledDisk,
  type InstalledDisk,
  mountInstalledRoot,
  openInstalledDisk,
} from '../../builders/installed-disk.ts';
import { provisionOk } from '../../builders/provision.ts';
import { buildTar, type RawEntry } from '../../builders/tar-builder.ts';
import { Resources } from '../../resources.ts';

const gib = 1024 ** 3;
const resources = new Resources();
after(() => resources[Symbol.asyncDispose]());

let bootDisk = '';
before(async () => {
  bootDisk = await makeBootDisk(resources);
});

const { diskGuid, biosBootGuid, espGuid, rootGuid, rootUuid, espVolumeId } = fixedIdentities;
const espSerial = `${espVolumeId.slice(0, 4)}-${espVolumeId.slice(4)}`.toUpperCase();
/** Everything in layer 0 that names it, as it stands in text. */
const imageIdentifiers = [diskGuid, biosBootGuid, espGuid, rootGuid, rootUuid, espSerial];

/** Files of an image that names its own disk wherever systems do. */
const namingFiles: Readonly<Record<string, string>> = {
  'etc/fstab': `UUID=${rootUuid} / ext4 defaults 0 1\nUUID=${espSerial} /boot/efi vfat umask=0077 0 1\n`,
  'etc/default/grub': `GRUB_CMDLINE_LINUX="root=PARTUUID=${rootGuid}"\n`,
  'etc/kernel/cmdline': `root=UUID=${rootUuid.toUpperCase()} ro\n`,
  'boot/grub/grub.cfg': `search --no-floppy --fs-uuid --set=root ${rootUuid}
menuentry 'system' {
  linux /vmlinuz root=UUID=${rootUuid} resume=PARTUUID=${espGuid} ro
  initrd /initrd.img
}
`,
};

function namingSystem(initrd?: string): Buffer[] {
  const files: RawEntry[] = Object.entries(namingFiles).map(([name, data]) => ({ name, data }));
  const more: RawEntry[] = initrd === undefined ? [] : [{ name: 'boot/initrd.img-1', data: initrd }];
  return [buildTar([...smallestSystem, ...files, ...more])];
}

/** The image of `namingSystem`, without the smallest system over it. */
async function writeNamingImage(initrd?: string): Promise<string> {
  return (await writeBootImage(resources, { disk: bootDisk, layers: namingSystem(initrd), system: [] })).reference;
}

interface Installed {
  readonly disk: InstalledDisk;
  readonly root: string;
  readonly warnings: readonly string[];
  readonly identifiers: readonly string[];
}

async function install(image: string, sizeBytes: number): Promise<Installed> {
  const file = resources.sparseFile(sizeBytes);
  const { events } = await provisionOk({ image, disk: file });
  const disk = await openInstalledDisk(resources, file);
  await checkInstalledDisk(disk);
  const root = await mountInstalledRoot(resources, disk);
  const own = disk.partitions.flatMap(({ partUuid, fsUuid }) => [partUuid, ...(fsUuid === null ? [] : [fsUuid])]);
  const warnings = events.filter(({ state }) => state === 'warning').map(({ message }) => message);
  return { disk, root, warnings, identifiers: [disk.diskGuid, ...own] };
}

test('F42 one image installed twice: no identifier in common with each other or the image, every reference is to its own disk', async (context) => {
  const image = await writeNamingImage();
  const sizes = [2 * gib, 5 * gib];
  const installed: Installed[] = [];
  for (const sizeBytes of sizes) installed.push(await install(image, sizeBytes));
  const all = installed.flatMap(({ identifiers }) => identifiers);
  // Disk GUID, three partition GUIDs, the root's UUID and the ESP's serial, twice.
  assert.equal(all.length, 12);
  assert.equal(new Set(all).size, all.length, all.join(' '));
  for (const one of imageIdentifiers) assert.ok(!all.some((own) => own.toUpperCase() === one.toUpperCase()), one);
  for (const [index, { disk, root }] of installed.entries()) {
    assertReferences(root, disk);
    assertNoIdentity(root);
    await assertGrown(disk, root, sizes[index] ?? 0);
  }
  context.diagnostic(`${all.length / 2} identifiers each, none shared`);
});

/** The files name the disk they are on, in the same places as the image did, and nothing of the image's disk. */
function assertReferences(root: string, disk: InstalledDisk): void {
  const [esp, main] = [disk.partition('esp'), disk.partition('root')];
  const changes: readonly (readonly [string, string])[] = [
    [rootUuid, main.fsUuid ?? ''],
    [rootGuid, main.partUuid],
    [espGuid, esp.partUuid],
    [espSerial, esp.fsUuid ?? ''],
  ];
  for (const [path, before] of Object.entries(namingFiles)) {
    const expected = changes.reduce((text, [old, own]) => text.replaceAll(new RegExp(old, 'gi'), own), before);
    assert.equal(readFileSync(join(root, path), 'utf8').toLowerCase(), expected.toLowerCase(), path);
  }
}

/** F42: nothing of the machine that the image was made on. */
function assertNoIdentity(root: string): void {
  assert.equal(statSync(join(root, 'etc/machine-id')).size, 0);
  assert.deepEqual(readdirSync(join(root, 'etc/ssh')), []);
  assert.deepEqual(readdirSync(join(root, 'var/lib/systemd')), []);
}

/** The root partition ends where the disk does, and its filesystem fills it. */
async function assertGrown(disk: InstalledDisk, root: string, sizeBytes: number): Promise<void> {
  const main = disk.partition('root');
  assert.ok(main.offsetBytes + main.sizeBytes > sizeBytes - 2 * 1024 ** 2, `${main.sizeBytes} bytes`);
  const { stdout } = await runCommand('stat', ['-f', '-c', '%b %S', root]);
  const [blocks = 0, blockBytes = 0] = stdout.trim().split(' ').map(Number);
  assert.equal(blockBytes, 4096);
  assert.ok(blocks * blockBytes > main.sizeBytes * 0.9, `${blocks} blocks`);
}

test('F43 labels in fstab become the UUIDs of this disk: another disk with the same labels is not taken', async () => {
  const { reference } = await writeBootImage(resources, { disk: bootDisk });
  const { disk, root } = await install(reference, 2 * gib);
  const fstab = readFileSync(join(root, 'etc/fstab'), 'utf8');
  assert.equal(
    fstab,
    `UUID=${disk.partition('root').fsUuid} / ext4 errors=remount-ro 0 1\nUUID=${disk.partition('esp').fsUuid} /boot/efi vfat umask=0077,nofail 0 1\n`,
  );
});

test('an identifier in an initrd, which is never edited, is kept with a warning, and the others are new', async () => {
  const image = await writeNamingImage(initrdWith(`conf/uuid root=${rootUuid}`));
  const { disk, root, identifiers, warnings } = await install(image, 2 * gib);
  assert.equal(disk.partition('root').fsUuid, rootUuid);
  const kept = imageIdentifiers.filter((one) => identifiers.some((own) => own.toUpperCase() === one.toUpperCase()));
  assert.deepEqual(kept, [rootUuid]);
  assertReferences(root, disk);
  assert.ok(
    warnings.some((text) => text.includes(rootUuid) && text.includes('/boot/initrd.img-1')),
    warnings.join('\n'),
  );
});

/** A cpio archive of the new ASCII format with one file. */
function initrdWith(text: string): string {
  const member = (name: string, data: string, mode: number): string => {
    const fields = [1, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
    const padded = (part: string): string => part.padEnd(Math.ceil(part.length / 4) * 4, '\0');
    return padded(header) + padded(data);
  };
  return member('conf', text, 0o100644) + member('TRAILER!!!', '', 0);
}
