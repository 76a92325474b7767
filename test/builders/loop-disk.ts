import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { BootLayout } from '../../agent/boot/installed-disk.ts';
import { type PartitionIdentity, partitionTypes } from '../../agent/rootfs/types.ts';
import { runCommand, toolPath } from '../../core/base/run-command.ts';
import type { Resources } from '../resources.ts';
import { type TreeNode, writeTree } from './rootfs-tree.ts';

const mib = 1024 * 1024;
const parts = {
  bios: { number: 1, start: 1, size: 1 },
  esp: { number: 2, start: 2, size: 40 },
  root: { number: 3, start: 42, size: 60 },
};
const diskMib = 104;
const linuxRoot = '4f68bce3-e8cd-4db1-96e7-fbcaf984b709';

/** A real disk on a loop device: GPT, GRUB core, FAT and ext4, the root mounted. */
export interface DiskFixture {
  /** Backing file of the loop device. */
  readonly file: string;
  readonly disk: string;
  readonly root: string;
  readonly biosDevice: string;
  readonly espDevice: string;
  readonly rootDevice: string;
  readonly diskGuid: string;
  readonly partitions: readonly PartitionIdentity[];
  readonly layout: BootLayout;
  /** First sector of the disk. */
  readonly readHead: () => Buffer;
}

export interface DiskFixtureOptions {
  readonly rootTree?: Readonly<Record<string, TreeNode>>;
  readonly espTree?: Readonly<Record<string, string | Uint8Array>>;
  /** Early configuration inside the GRUB core; null = no core and no boot code. Gets the root's UUID. */
  readonly grubCore?: ((rootUuid: string) => string) | null;
}

/** Makes the disk and mounts its root; everything ends with `resources`. */
export async function makeDiskFixture(resources: Resources, options: DiskFixtureOptions = {}): Promise<DiskFixture> {
  const file = resources.sparseFile(diskMib * mib);
  const sgdisk = Object.values(parts).flatMap(({ number, start, size }) => [
    '-n',
    `${number}:${start * 2048}:${(start + size) * 2048 - 1}`,
  ]);
  const types = [
    '-t',
    `1:${partitionTypes.biosBoot}`,
    '-t',
    `2:${partitionTypes.esp}`,
    '-t',
    `3:${linuxRoot}`,
    '-c',
    '3:sys',
  ];
  await runCommand('sgdisk', [...sgdisk, ...types, file]);
  const disk = await resources.loop(file);
  await runCommand('partx', ['-a', disk]);
  const [biosDevice, espDevice, rootDevice] = nodesOf(disk);
  await runCommand('mkfs.fat', ['-F', '32', '-s', '1', '-n', 'ESP', espDevice]);
  await runCommand('mkfs.ext4', ['-q', '-L', 'root', rootDevice]);
  const guids = await tableGuids(file);
  const partitions: PartitionIdentity[] = [
    {
      number: 1,
      typeGuid: partitionTypes.biosBoot,
      partUuid: guids.parts[0] ?? '',
      partLabel: null,
      fsUuid: null,
      fsLabel: null,
      fsType: null,
    },
    {
      number: 2,
      typeGuid: partitionTypes.esp,
      partUuid: guids.parts[1] ?? '',
      partLabel: null,
      fsUuid: await blkid(espDevice, 'UUID'),
      fsLabel: 'ESP',
      fsType: 'vfat',
    },
    {
      number: 3,
      typeGuid: linuxRoot,
      partUuid: guids.parts[2] ?? '',
      partLabel: 'sys',
      fsUuid: await blkid(rootDevice, 'UUID'),
      fsLabel: 'root',
      fsType: 'ext4',
    },
  ];
  const rootUuid = partitions[2]?.fsUuid ?? '';
  if (options.grubCore !== null)
    writeGrub(resources, { disk, biosDevice, early: (options.grubCore ?? plainEarly)(rootUuid) });
  await fillEsp(resources, espDevice, options.espTree ?? {});
  const root = await resources.mount(rootDevice, { type: 'ext4' });
  writeTree(root, options.rootTree ?? {});
  return toFixture({ file, disk, root, diskGuid: guids.disk, partitions });
}

/** A copy of a disk on a loop device of its own, in a tenth of the time. The original's root gets unmounted. */
export async function cloneDisk(resources: Resources, original: DiskFixture): Promise<DiskFixture> {
  await runCommand('umount', [original.root], { okExitCodes: [0, 32] });
  const file = join(resources.tempDir(), 'disk.raw');
  await runCommand('cp', ['--sparse=always', original.file, file]);
  const disk = await resources.loop(file);
  await runCommand('partx', ['-a', disk]);
  const root = await resources.mount(nodesOf(disk)[2], { type: 'ext4' });
  return toFixture({ ...original, file, disk, root });
}

function toFixture(facts: Pick<DiskFixture, 'file' | 'disk' | 'root' | 'diskGuid' | 'partitions'>): DiskFixture {
  const { disk, root, partitions } = facts;
  const [biosDevice, espDevice, rootDevice] = nodesOf(disk);
  const layout = { root, partitions, rootNumber: 3, bootNumber: null, espNumber: 2, espDevice };
  return { ...facts, biosDevice, espDevice, rootDevice, layout, readHead: () => readAt(disk, 512) };
}

function nodesOf(disk: string): readonly [string, string, string] {
  return [`${disk}p1`, `${disk}p2`, `${disk}p3`];
}

/** What blkid says now, past its cache. */
export async function blkid(device: string, tag: string): Promise<string> {
  return (await runCommand('blkid', ['-p', '-o', 'value', '-s', tag, device], { okExitCodes: [0, 2] })).stdout.trim();
}

/** A file of the ESP as text. */
export async function espText(device: string, path: string): Promise<string> {
  return (await runCommand('mtype', ['-i', device, `::${path}`])).stdout;
}

const plainEarly = (): string => 'set prefix=($root)/boot/grub\n';

async function tableGuids(file: string): Promise<{ disk: string; parts: string[] }> {
  const guid = (text: string, label: string): string =>
    (new RegExp(`${label}: ([0-9A-F-]{36})`).exec(text)?.[1] ?? '').toLowerCase();
  const table = (await runCommand('sgdisk', ['-p', file])).stdout;
  const infos: string[] = [];
  for (const { number } of Object.values(parts))
    infos.push((await runCommand('sgdisk', ['-i', String(number), file])).stdout);
  return {
    disk: /GUID\): ([0-9A-F-]{36})/.exec(table)?.[1]?.toLowerCase() ?? '',
    parts: infos.map((info) => guid(info, 'unique GUID')),
  };
}

async function fillEsp(
  resources: Resources,
  device: string,
  tree: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> {
  const dir = resources.tempDir();
  writeTree(dir, tree);
  const tops = new Set(Object.keys(tree).map((path) => path.split('/')[0] ?? ''));
  for (const top of tops) await runCommand('mcopy', ['-s', '-i', device, join(dir, top), '::/']);
}

/** The bytes that grub-install would write (spike.md, section 1). */
function writeGrub(resources: Resources, what: { disk: string; biosDevice: string; early: string }): void {
  const dir = resources.tempDir();
  const [early, core] = [join(dir, 'early.cfg'), join(dir, 'core.img')];
  writeFileSync(early, what.early);
  const modules = ['biosdisk', 'part_gpt', 'ext2', 'search', 'search_fs_uuid', 'normal', 'linux', 'configfile'];
  const env = { ...process.env, PATH: toolPath() };
  execFileSync('grub-mkimage', ['-O', 'i386-pc', '-p', '/boot/grub', '-c', early, '-o', core, ...modules], { env });
  const coreBytes = readAt(core, mib);
  writeAt(what.biosDevice, coreBytes, 0);
  const boot = readAt('/usr/lib/grub/i386-pc/boot.img', 512);
  const head = readAt(what.disk, 512);
  boot.copy(head, 0, 0, 440);
  head.writeBigUInt64LE(BigInt(parts.bios.start * 2048), 0x5c);
  writeAt(what.disk, head, 0);
}

export function readAt(path: string, lengthBytes: number, offsetBytes = 0): Buffer {
  const fd = openSync(path, 'r');
  const buffer = Buffer.alloc(lengthBytes);
  const read = readSync(fd, buffer, 0, lengthBytes, offsetBytes);
  closeSync(fd);
  return buffer.subarray(0, read);
}

export function writeAt(path: string, bytes: Uint8Array, offsetBytes: number): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, bytes.byteLength, offsetBytes);
  closeSync(fd);
}
