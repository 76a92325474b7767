import { readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { runCommand } from '../../../core/base/run-command.ts';
import { Resources } from '../../resources.ts';
import { rootOffsetBytes } from '../installed-guest.ts';

const indexSchema = z.object({ manifests: z.array(z.object({ digest: z.string() })).min(1) });
const manifestSchema = z.object({ layers: z.array(z.object({ digest: z.string(), mediaType: z.string() })).min(2) });

/**
 * A disk as somebody gets it who writes an image with dd, grows its root and unpacks its layers: the whole system, with the
 * UUIDs and labels that every such disk has.
 * @param layout Folder of an OCI layout with one image, whose layers are zstd and have no whiteouts.
 */
export async function cloneImage(resources: Resources, layout: string, diskBytes: number): Promise<string> {
  const blob = (digest: string): string => join(layout, 'blobs', ...digest.split(':'));
  const index = indexSchema.parse(JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')));
  const { layers } = manifestSchema.parse(JSON.parse(readFileSync(blob(index.manifests[0]?.digest ?? ''), 'utf8')));
  const [disk, ...files] = layers.map(({ digest }) => blob(digest));
  const target = resources.sparseFile(diskBytes);
  await runCommand('zstd', ['-dqf', '--sparse', disk ?? '', '-o', target]);
  truncateSync(target, diskBytes);
  await runCommand('sgdisk', ['-e', target]);
  const { stdout } = await runCommand('sfdisk', ['--json', target]);
  const offsetBytes = await rootOffsetBytes(target);
  const { partitiontable } = z
    .object({ partitiontable: z.object({ partitions: z.array(z.object({ start: z.number() })) }) })
    .parse(JSON.parse(stdout));
  const number = partitiontable.partitions.findIndex(({ start }) => start * 512 === offsetBytes) + 1;
  await runCommand('sfdisk', ['--no-reread', '--no-tell-kernel', '-N', String(number), target], { input: ', +\n' });
  // Until the loop device is gone the file is not whole.
  await using used = new Resources();
  const device = await loopAt(used, target, offsetBytes);
  await runCommand('e2fsck', ['-fy', device], { okExitCodes: [0, 1] });
  await runCommand('resize2fs', [device]);
  const root = await used.mount(device, { type: 'ext4' });
  for (const file of files) {
    await runCommand('tar', ['--zstd', '--xattrs', '--xattrs-include=*', '-xpf', file, '-C', root]);
  }
  return target;
}

async function loopAt(resources: Resources, file: string, offsetBytes: number): Promise<string> {
  const args = ['--find', '--show', '--offset', String(offsetBytes), file];
  const device = (await runCommand('losetup', args)).stdout.trim();
  resources.defer(`losetup -d ${device}`, async () => void (await runCommand('losetup', ['-d', device])));
  return device;
}
