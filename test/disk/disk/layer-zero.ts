import { open, readFile } from 'node:fs/promises';
import { runCommand } from '../../../core/base/run-command.ts';
import type { Resources } from '../../resources.ts';

const mebibyte = 1024 * 1024;

export interface LayerZeroOptions {
  readonly sectorBytes?: 512 | 4096;
  readonly rootMebibytes?: number;
  /** More arguments of mkfs.ext4. */
  readonly mkfs?: readonly string[];
  /** Folder whose files the root is given. */
  readonly rootFrom?: string;
  /** A data partition behind the root, of so many MiB. */
  readonly dataMebibytes?: number;
  /** An ext4 partition 4 for `/boot` between ESP and root, of this type and UUID. */
  readonly boot?: { readonly mebibytes: number; readonly typeGuid: string; readonly uuid: string };
  readonly rootName?: string;
}

export interface LayerZero {
  readonly file: string;
  readonly bytes: Buffer;
  readonly rootNumber: 3;
  readonly rootOffsetBytes: number;
  readonly rootBytes: number;
}

/** The root as `durantic image build` makes it: made for the disk that it grows to. */
export const growableRoot = ['-b', '4096', '-I', '256', '-i', '16384', '-O', '^resize_inode,meta_bg'];

/** A raw disk as layer 0 has it: BIOS boot (1 MiB of a pattern), ESP (4 MiB of another), an ext4 root. */
export async function makeLayerZero(resources: Resources, options: LayerZeroOptions = {}): Promise<LayerZero> {
  const sectorBytes = options.sectorBytes ?? 512;
  const rootMebibytes = options.rootMebibytes ?? 32;
  const dataMebibytes = options.dataMebibytes ?? 0;
  const { boot } = options;
  const rootAt = 6 + (boot?.mebibytes ?? 0);
  const file = resources.sparseFile((rootAt + rootMebibytes + dataMebibytes + 2) * mebibyte, 'layer-zero.raw');
  const rootOffsetBytes = rootAt * mebibyte;
  const sector = (mib: number): number => (mib * mebibyte) / sectorBytes;
  const range = (from: number, mib: number): string => `${sector(from)}:${sector(from + mib) - 1}`;
  const name = options.rootName ?? 'root';
  const args = ['-n', `1:${range(1, 1)}`, '-t', '1:ef02', '-c', '1:boot', '-n', `2:${range(2, 4)}`, '-t', '2:ef00'];
  args.push('-A', '2:set:2', '-n', `3:${range(rootAt, rootMebibytes)}`, '-t', '3:8304', '-c', `3:${name}`);
  if (dataMebibytes > 0)
    args.push('-n', `4:${range(rootAt + rootMebibytes, dataMebibytes)}`, '-t', '4:8300', '-c', '4:data');
  if (boot !== undefined)
    args.push('-n', `4:${range(6, boot.mebibytes)}`, '-t', `4:${boot.typeGuid}`, '-c', '4:system-boot');
  await using tool = new (await import('../../resources.ts')).Resources();
  const device = sectorBytes === 512 ? file : await tool.loop(file, { sectorBytes });
  await runCommand('sgdisk', [...args, device]);
  const from = options.rootFrom === undefined ? [] : ['-d', options.rootFrom];
  const place = ['-E', `offset=${rootOffsetBytes},root_owner=0:0`, device, `${rootMebibytes * 1024}k`];
  await runCommand('mkfs.ext4', ['-q', '-F', '-L', 'root', ...(options.mkfs ?? growableRoot), ...from, ...place]);
  if (boot !== undefined) {
    const bootPlace = ['-E', `offset=${6 * mebibyte},root_owner=0:0`, device, `${boot.mebibytes * 1024}k`];
    await runCommand('mkfs.ext4', ['-q', '-F', '-U', boot.uuid, ...bootPlace]);
  }
  await tool[Symbol.asyncDispose]();
  await fill(file, mebibyte, Buffer.alloc(mebibyte, 'durantic bios boot '));
  await fill(file, 2 * mebibyte, Buffer.alloc(4 * mebibyte, 'durantic esp '));
  // Boot code, as GRUB's boot.img has it in the first 440 bytes.
  await fill(file, 0, Buffer.alloc(440, 'durantic boot code '));
  const bytes = await readFile(file);
  return { file, bytes, rootNumber: 3, rootOffsetBytes, rootBytes: rootMebibytes * mebibyte };
}

async function fill(file: string, offsetBytes: number, bytes: Buffer): Promise<void> {
  await using handle = await open(file, 'r+');
  await handle.write(bytes, 0, bytes.length, offsetBytes);
}
