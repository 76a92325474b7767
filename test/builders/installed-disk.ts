import { z } from 'zod';
import { runCommand } from '../../core/base/run-command.ts';
import type { Resources } from '../resources.ts';

const tableSchema = z.object({
  partitiontable: z.object({
    label: z.string(),
    id: z.string(),
    sectorsize: z.number(),
    partitions: z.array(
      z.object({
        node: z.string(),
        start: z.number(),
        size: z.number(),
        uuid: z.string(),
        name: z.string().default(''),
      }),
    ),
  }),
});

export interface InstalledPartition {
  readonly number: number;
  /** Device node, on which `blkid`, `e2fsck` and `mount` work. */
  readonly device: string;
  readonly name: string;
  /** Lower case. */
  readonly partUuid: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** As blkid(8) probes it; null where there is none. */
  readonly fsType: string | null;
  readonly fsUuid: string | null;
}

/** A disk as other programs than ours see it after an installation. */
export interface InstalledDisk {
  readonly device: string;
  /** Lower case. */
  readonly diskGuid: string;
  readonly partitions: readonly InstalledPartition[];
  partition(name: 'bios-boot' | 'esp' | 'root'): InstalledPartition;
}

/** Attaches a disk file read-only, has its table read by sfdisk and partx, and its filesystems by blkid. */
export async function openInstalledDisk(
  resources: Resources,
  file: string,
  options: { readonly sectorBytes?: 512 | 4096 } = {},
): Promise<InstalledDisk> {
  const device = await resources.loop(file, { ...options, readOnly: true });
  const { stdout } = await runCommand('sfdisk', ['--json', device]);
  const { partitiontable: table } = tableSchema.parse(JSON.parse(stdout));
  if (table.label !== 'gpt') throw new Error(`${file} has a table of the kind ${table.label}`);
  // This host's kernel reads no GPT; partx does.
  await runCommand('partx', ['-a', device]);
  const partitions: InstalledPartition[] = [];
  for (const { node, start, size, uuid, name } of table.partitions) {
    const facts = await probe(node);
    partitions.push({
      number: Number(/(\d+)$/.exec(node)?.[1]),
      ...{ device: node, name, partUuid: uuid.toLowerCase() },
      ...{ offsetBytes: start * table.sectorsize, sizeBytes: size * table.sectorsize },
      ...{ fsType: facts['TYPE'] ?? null, fsUuid: facts['UUID'] ?? null },
    });
  }
  const partition = (wanted: string): InstalledPartition => {
    const found = partitions.find(({ name }) => name === wanted);
    if (found === undefined) throw new Error(`${file} has no partition ${wanted}`);
    return found;
  };
  return { device, diskGuid: table.id.toLowerCase(), partitions, partition };
}

/** blkid's own look at the device, without its cache. */
async function probe(device: string): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await runCommand('blkid', ['-p', '-o', 'export', device], { okExitCodes: [0, 2] });
  const pairs = stdout.split('\n').map((line) => /^(\w+)=(.*)$/.exec(line));
  return Object.fromEntries(pairs.flatMap((pair) => (pair === null ? [] : [[pair[1] ?? '', pair[2] ?? '']])));
}

/** What checkers of other projects say: both tables, the root and the ESP are without fault. */
export async function checkInstalledDisk(disk: InstalledDisk): Promise<void> {
  const table = (await runCommand('sgdisk', ['-v', disk.device])).stdout;
  if (!table.includes('No problems found')) throw new Error(`sgdisk -v ${disk.device}:\n${table}`);
  await runCommand('e2fsck', ['-f', '-n', disk.partition('root').device]);
  await runCommand('fsck.fat', ['-n', disk.partition('esp').device]);
}

/** Mounts the installed root read-only and gives its folder. `noload`: a journal that would need replay is not hidden. */
export async function mountInstalledRoot(resources: Resources, disk: InstalledDisk): Promise<string> {
  return await resources.mount(disk.partition('root').device, { type: 'ext4', options: 'ro,noload' });
}

/** What wipefs(8) finds on a device, as type names, sorted, each once. */
export async function signaturesOn(device: string): Promise<string[]> {
  const { stdout } = await runCommand('wipefs', ['--no-act', '--parsable', device]);
  const lines = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return [...new Set(lines.map((line) => line.split(',').at(-1) ?? ''))].sort();
}
