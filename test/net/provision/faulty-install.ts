import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../../core/base/run-command.ts';
import type { RetryPolicy } from '../../../core/oci/blob-download.ts';
import { noise, smallestSystem } from '../../builders/boot-image.ts';
import { mountInstalledRoot, openInstalledDisk } from '../../builders/installed-disk.ts';
import { type LayerSpec, type WrittenLayout, writeLayout } from '../../builders/oci-image.ts';
import { type ProvisionOptions, type ProvisionRun, provision } from '../../builders/provision.ts';
import { provisionHere } from '../../builders/provision-here.ts';
import { buildTar } from '../../builders/tar-builder.ts';
import { makeLayerZero } from '../../disk/disk/layer-zero.ts';
import { type FaultyRegistry, type FaultyRegistryOptions, startFaultyRegistry } from '../../fakes/faulty-registry.ts';
import { Resources } from '../../resources.ts';
import { diffTrees, readTree, type Tree } from '../../tree.ts';

const mib = 1024 ** 2;
export const diskBytes = 160 * mib;

/** An image of a 40 MiB disk (2 MB compressed) and three layers of 5 MB, which no codec makes smaller. */
export async function writeSmallImage(
  resources: Resources,
  change: (layers: LayerSpec[]) => readonly LayerSpec[] = (layers) => layers,
): Promise<WrittenLayout> {
  const folder = resources.tempDir();
  writeFileSync(join(folder, 'noise'), noise(2 * mib, 1));
  const { file } = await makeLayerZero(resources, { rootFrom: folder });
  const files = (seed: number) =>
    Array.from({ length: 40 }, (_, index) => {
      return { name: `noise-${seed}-${index}`, data: noise(125_000 + 13 * index, seed * 100 + index) };
    });
  const layers: LayerSpec[] = [
    { file, codec: 'zstd' },
    { bytes: buildTar(files(1)), codec: 'gzip' },
    { bytes: buildTar(files(2)), codec: 'zstd' },
    { bytes: buildTar([...smallestSystem, ...files(3)]), codec: 'none' },
  ];
  return await writeLayout(resources.tempDir(), { layers: change(layers) });
}

export interface FaultyInstall {
  readonly run: Pick<ProvisionRun, 'exitCode' | 'events' | 'last' | 'stdout' | 'stderr'>;
  readonly registry: FaultyRegistry;
  /** The disk's file. */
  readonly file: string;
}

export interface FaultyInstallOptions extends Omit<FaultyRegistryOptions, 'image'> {
  readonly layout: WrittenLayout;
  readonly flags?: readonly string[];
  readonly run?: Partial<ProvisionOptions>;
  /** Runs in the test's own process instead, with this policy: the program's own has 10 minutes. */
  readonly retryPolicy?: Partial<RetryPolicy>;
}

/** One installation by the built binary from a registry that fails by script. */
export async function installFaulty(resources: Resources, options: FaultyInstallOptions): Promise<FaultyInstall> {
  const { layout, flags = [], run: more = {}, retryPolicy, ...rest } = options;
  const registry = await startFaultyRegistry(resources, { ...rest, image: layout.dir });
  const file = resources.sparseFile(diskBytes);
  const what = { image: `${registry.host}/os/test:latest`, disk: file };
  const run =
    retryPolicy === undefined
      ? await provision({ ...what, flags: ['--plain-http', '--no-inject-agent', ...flags], ...more })
      : await provisionHere({ ...what, request: { retryPolicy } });
  await registry.settled();
  return { run, registry, file };
}

/** The installed tree, read after both tables and the filesystem were found whole. */
export async function installedTree(file: string): Promise<Tree> {
  await using resources = new Resources();
  const disk = await openInstalledDisk(resources, file);
  await assertWhole(file);
  const root = disk.partition('root').device;
  await runCommand('e2fsck', ['-f', '-n', root]);
  return readTree(await mountInstalledRoot(resources, disk));
}

async function assertWhole(file: string): Promise<void> {
  const { stdout } = await runCommand('sgdisk', ['-v', file]);
  assert.match(stdout, /No problems found/);
}

/**
 * No difference but for what is each machine's own: the UUIDs in fstab, the instance-id, and times of folders that the
 * last steps have written to.
 */
export function assertSameTree(actual: Tree, expected: Tree): void {
  const own = ['etc/fstab', 'var/lib/cloud/seed/nocloud/meta-data'];
  const differences = diffTrees(expected, actual, {
    skip: (path, field, left) =>
      (field === 'mtimeNs' && (left.kind === 'directory' || isWritten(path))) ||
      (own.includes(path) && ['sha256', 'size'].includes(field)),
  });
  assert.deepEqual(differences, []);
  assert.ok(actual.size > 130, `${actual.size} entries`);
}

function isWritten(path: string): boolean {
  return path.startsWith('var/lib/cloud/') || path.startsWith('etc/');
}

/** No firmware, kernel or tool finds a table: both ends of the disk are zeros. */
export async function assertNotBootable(file: string): Promise<void> {
  await using handle = await open(file, 'r');
  for (const position of [0, diskBytes - mib]) {
    const { buffer } = await handle.read(Buffer.alloc(mib), 0, mib, position);
    const at = buffer.findIndex((byte) => byte !== 0);
    assert.equal(at, -1, `byte ${position + at} is not zero`);
  }
  const partx = await runCommand('partx', ['--show', '--noheadings', file], { okExitCodes: [0, 1] });
  assert.equal(partx.stdout, '');
  const sgdisk = await runCommand('sgdisk', ['--print', file], { okExitCodes: [0, 2] });
  assert.doesNotMatch(sgdisk.stdout, /^ +\d+ +\d+ +\d+ /m, 'sgdisk lists a partition');
}

/** Nothing of an installation is left on this machine: no loop device on the file, no mount of ours. */
export async function assertNothingHeld(file: string): Promise<void> {
  const { stdout } = await runCommand('losetup', ['-j', file]);
  assert.equal(stdout, '');
}
