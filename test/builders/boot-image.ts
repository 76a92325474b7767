import { createCipheriv, createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import type { Codec } from '../../core/stream/types.ts';
import { rawDiskMediaType } from '../../images/build/image-media-types.ts';
import { makeDisk } from '../../images/build/make-disk.ts';
import type { Resources } from '../resources.ts';
import { type LayerSpec, type LayoutSpec, type WrittenLayout, writeLayout } from './oci-image.ts';
import { kernelFile } from './rootfs-tree.ts';
import { buildTar, type RawEntry } from './tar-builder.ts';

const repo = join(import.meta.dirname, '../..');

/** A layer 0 as `durantic image build --make-disk` makes it: GRUB for BIOS and UEFI, an empty root that grows. */
export async function makeBootDisk(resources: Resources, sectorBytes: 512 | 4096 = 512): Promise<string> {
  const file = join(resources.tempDir('durantic-layer0-'), 'disk.raw');
  await makeDisk({ file, sectorBytes });
  return file;
}

/** Layer 0 of an image from a raw disk: as a blob of its own. */
export function diskLayer(file: string, codec: Codec = 'zstd'): LayerSpec {
  return { file, codec, mediaType: `${rawDiskMediaType}${codec === 'none' ? '' : `+${codec}`}` };
}

/** Layer 0 as a Containerfile makes it, `COPY disk.raw.zst /`: the compressed raw disk as the one file of a tar. */
export async function diskTarLayer(resources: Resources, file: string, codec: Codec): Promise<LayerSpec> {
  const compressed = join(resources.tempDir(), 'disk.raw.zst');
  await runCommand('zstd', ['-q', '-1', file, '-o', compressed]);
  return { bytes: buildTar([{ name: 'disk.raw.zst', data: readFileSync(compressed) }]), codec };
}

/** Incompressible bytes, the same in each run. */
export function noise(sizeBytes: number, seed = 1): Buffer {
  const key = createHash('sha256').update(`noise ${seed}`).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(sizeBytes));
}

const folder = (name: string, mode = 0o755): RawEntry => ({ name, typeflag: '5', mode });
const link = (name: string, linkName: string): RawEntry => ({ name, typeflag: '2', linkName });

/** An archive of the new ASCII format without members (cpio(5)): what the search for identifiers takes for an initrd. */
const emptyCpio = `070701${'00000000'.repeat(11)}0000000B${'00000000'}TRAILER!!!\0`.padEnd(512, '\0');

/**
 * The least that is an operating system to the installer: a kernel, an initrd, the grub.cfg of the Debian recipes, and
 * the traces of another machine that golden images carry.
 */
export const smallestSystem: readonly RawEntry[] = [
  folder('./'),
  folder('boot'),
  folder('boot/grub'),
  { name: 'boot/grub/grub.cfg', data: readFileSync(join(repo, 'images/debian/grub.cfg')) },
  { name: 'boot/vmlinuz-1', data: kernelFile() },
  { name: 'boot/initrd.img-1', data: emptyCpio },
  link('vmlinuz', 'boot/vmlinuz-1'),
  link('initrd.img', 'boot/initrd.img-1'),
  folder('etc'),
  folder('etc/ssh'),
  { name: 'etc/os-release', data: 'ID=small\n' },
  { name: 'etc/machine-id', data: `${'0123456789abcdef'.repeat(2)}\n` },
  { name: 'etc/ssh/ssh_host_ed25519_key', mode: 0o600, data: 'a key of another machine' },
  { name: 'etc/ssh/ssh_host_ed25519_key.pub', data: 'a key of another machine' },
  {
    name: 'etc/fstab',
    data: 'LABEL=root / ext4 errors=remount-ro 0 1\nLABEL=ESP /boot/efi vfat umask=0077,nofail 0 1\n',
  },
  folder('var'),
  folder('var/lib'),
  folder('var/lib/systemd'),
  { name: 'var/lib/systemd/random-seed', mode: 0o600, data: 'a seed of another machine' },
];

export interface BootImageSpec extends Omit<LayoutSpec, 'layers'> {
  /** Raw disk of layer 0, from `makeBootDisk`; null leaves layer 0 out. */
  readonly disk: string | null;
  /** Layer 0 as a blob of its own (default), or as a file in a tar, which is all that Docker schema 2 knows. */
  readonly diskForm?: 'raw' | 'tar';
  /** Codec of every layer; default zstd. */
  readonly codec?: Codec;
  /** Uncompressed tars below the system; default none. */
  readonly layers?: readonly Buffer[];
  /** Entries of the last layer; default the smallest system. None leaves that layer out. */
  readonly system?: readonly RawEntry[];
}

/** Layers 0 that were written already, as they are stored: compressing half a GiB again and again would take seconds. */
const storedLayers = new Map<string, LayerSpec>();

/** A small image that can be provisioned (without an agent: it has no glibc), as an OCI layout of its own. */
export async function writeBootImage(resources: Resources, spec: BootImageSpec): Promise<WrittenLayout> {
  const { disk, diskForm = 'raw', codec = 'zstd', layers = [], system = smallestSystem, ...rest } = spec;
  const tars = [...layers, ...(system.length === 0 ? [] : [buildTar(system)])].map((bytes) => ({ bytes, codec }));
  const dir = resources.tempDir('durantic-image-');
  if (disk === null) return await writeLayout(dir, { ...rest, layers: tars });
  const key = `${disk} ${diskForm} ${codec}`;
  const made = async (): Promise<LayerSpec> =>
    diskForm === 'raw' ? diskLayer(disk, codec) : await diskTarLayer(resources, disk, codec);
  const layerZero = storedLayers.get(key) ?? (await made());
  const layout = await writeLayout(dir, { ...rest, layers: [layerZero, ...tars] });
  if (!storedLayers.has(key) && codec !== 'none') {
    const [written] = layout.layers;
    if (written === undefined) throw new Error('the image has no layer 0');
    const stored = readFileSync(join(dir, 'blobs', written.digest.replace(':', '/')));
    const { mediaType } = layerZero;
    storedLayers.set(key, {
      ...(mediaType === undefined ? {} : { mediaType }),
      ...{ bytes: Buffer.alloc(0), stored, codec, diffId: written.diffId },
    });
  }
  return layout;
}
