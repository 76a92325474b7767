import { writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { runCommand } from '../../../core/base/run-command.ts';
import { diskLayer, makeBootDisk, noise, smallestSystem, writeBootImage } from '../../builders/boot-image.ts';
import { type LayerSpec, writeLayout } from '../../builders/oci-image.ts';
import { startRegistry } from '../../builders/registry.ts';
import { buildTar } from '../../builders/tar-builder.ts';
import { freePort, type Resources } from '../../resources.ts';

const mib = 1024 ** 2;

/** What bad input refers to: disks that are in use or carry data, images with one fault each, registries. */
export interface BadInputs {
  /** The reference of an image that has no fault. */
  readonly image: string;
  /** By their fault. */
  readonly images: Readonly<Record<string, string>>;
  /** Plain files with a table and data: one that would be taken, a small one, one that `loop` is attached to. */
  readonly disk: string;
  readonly smallDisk: string;
  readonly otherDisk: string;
  /** Partition 1 is mounted. */
  readonly loop: string;
  /** Partition 1 is mounted, partition 2 is swap, which the kernel may write to at any time. */
  readonly swapLoop: string;
  readonly readOnlyLoop: string;
  /** A registry that has the good image as `os/small:1`. */
  readonly registry: string;
  /** Folder of `user-data` and `agent.yaml` that do not parse, and of an empty file `empty.raw`. */
  readonly files: string;
  readonly closedPort: number;
  /** Takes connections and never answers. */
  readonly silentPort: number;
}

export async function makeBadInputs(resources: Resources): Promise<BadInputs> {
  const layerZero = await makeBootDisk(resources);
  const { reference } = await writeBootImage(resources, { disk: layerZero });
  const disk = await usedDisk(resources, 'disk.raw', 600);
  const otherDisk = await usedDisk(resources, 'other.raw', 600);
  const registry = await startRegistry(resources);
  await registry.push(reference, 'os/small:1');
  const files = resources.tempDir();
  writeFileSync(join(files, 'user-data'), '#cloud-config\nusers:\n  - name: [x\n');
  writeFileSync(join(files, 'agent.yaml'), 'server: [');
  writeFileSync(join(files, 'empty.raw'), '');
  return {
    image: reference,
    images: await faultyImages(resources, layerZero),
    disk,
    smallDisk: await usedDisk(resources, 'small.raw', 64),
    otherDisk,
    loop: await mountedLoop(resources, otherDisk),
    swapLoop: await swapLoop(resources),
    readOnlyLoop: await resources.loop(await usedDisk(resources, 'read-only.raw', 64), { readOnly: true }),
    registry: registry.host,
    files,
    closedPort: await freePort(),
    silentPort: await listenSilently(resources),
  };
}

/** A disk on which something is: what must not change. */
async function usedDisk(resources: Resources, name: string, sizeMib: number): Promise<string> {
  const file = resources.sparseFile(sizeMib * mib, name);
  await runCommand('sgdisk', ['-n', `1:2048:+${sizeMib / 2 - 8}M`, '-n', '2:0:+4M', file]);
  await using handle = await open(file, 'r+');
  await handle.write(noise(4 * mib), 0, 4 * mib, 16 * mib);
  return file;
}

async function mountedLoop(resources: Resources, file: string): Promise<string> {
  const loop = await resources.loop(file);
  await runCommand('partx', ['-a', loop]);
  await runCommand('mkfs.ext4', ['-q', '-F', `${loop}p1`]);
  await resources.mount(`${loop}p1`, { options: 'ro' });
  // So that nothing is written later.
  await runCommand('sync', [`${loop}p1`, loop]);
  return loop;
}

async function swapLoop(resources: Resources): Promise<string> {
  const loop = await mountedLoop(resources, await usedDisk(resources, 'swap.raw', 64));
  await runCommand('mkswap', ['-q', `${loop}p2`]);
  await runCommand('swapon', [`${loop}p2`]);
  resources.defer('swapoff', async () => void (await runCommand('swapoff', [`${loop}p2`])));
  return loop;
}

async function faultyImages(resources: Resources, layerZero: string): Promise<Readonly<Record<string, string>>> {
  const system: LayerSpec = { bytes: buildTar(smallestSystem), codec: 'zstd' };
  const disk = diskLayer(layerZero);
  const tarOf = (data: Uint8Array, ...more: { name: string; data: string }[]): LayerSpec => ({
    bytes: buildTar([{ name: 'disk.raw', data }, ...more]),
    codec: 'zstd',
  });
  const head = await headOf(layerZero);
  const damaged = Buffer.from(head);
  // The disk GUID in the header, which its checksum covers.
  damaged[512 + 56] = (damaged[512 + 56] ?? 0) ^ 1;
  const { layers } = await writeLayout(resources.tempDir(), { layers: [disk, system] });
  const label = `durantic.unpacked.${layers[1]?.diffId.slice('sha256:'.length, 'sha256:'.length + 12)}`;
  const specs = {
    'no layers': { layers: [] },
    'no layer 0': { layers: [system] },
    'no GPT': { layers: [{ bytes: noise(2 * mib), codec: 'zstd' }, system] },
    squashed: { layers: [tarOf(head, { name: 'etc/hostname', data: 'x' })] },
    'tar of another file': { layers: [tarOf(noise(2 * mib)), system] },
    'damaged table': { layers: [{ bytes: damaged, codec: 'zstd' }, system] },
    xz: { layers: [disk, { ...system, codec: 'xz' }] },
    'large system': { layers: [disk, system], labels: { [label]: String(5 * 1024 ** 3) } },
  } as const;
  const images: Record<string, string> = {};
  for (const [name, spec] of Object.entries(specs)) {
    images[name] = (await writeLayout(resources.tempDir(), spec)).reference;
  }
  return images;
}

async function headOf(file: string): Promise<Buffer> {
  await using handle = await open(file, 'r');
  return (await handle.read(Buffer.alloc(2 * mib), 0, 2 * mib, 0)).buffer;
}

async function listenSilently(resources: Resources): Promise<number> {
  const server = createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  resources.defer('close a silent server', () => void server.close());
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
