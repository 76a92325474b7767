import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { z } from 'zod';
import { runCommand } from '../../../core/base/run-command.ts';
import type { Resources } from '../../resources.ts';
import { rootOffsetBytes } from '../installed-guest.ts';

const tableSchema = z.object({
  partitiontable: z.object({
    sectorsize: z.number(),
    partitions: z.array(z.object({ start: z.number(), size: z.number() })),
  }),
});

/**
 * What differs between two disks of one layout that are at rest: `table` for what lies outside of partitions,
 * `partition N` for one other than the root, and paths of the root's entries that were added, removed or changed in type,
 * owner, mode, content or link target.
 */
export async function diskDifferences(resources: Resources, before: string, after: string): Promise<string[]> {
  const { stdout } = await runCommand('sfdisk', ['--json', before]);
  const { sectorsize, partitions } = tableSchema.parse(JSON.parse(stdout)).partitiontable;
  const rootStart = (await rootOffsetBytes(before)) / sectorsize;
  const differences: string[] = [];
  const ends = partitions.map(({ start, size }) => (start + size) * sectorsize);
  const first = Math.min(...partitions.map(({ start }) => start)) * sectorsize;
  const bytes = statSync(before).size;
  for (const [offset, length] of [
    [0, first],
    [Math.max(...ends), bytes - Math.max(...ends)],
  ] as const) {
    if ((await digest(before, offset, length)) !== (await digest(after, offset, length))) differences.push('table');
  }
  for (const [index, { start, size }] of partitions.entries()) {
    if (start === rootStart) continue;
    const [at, length] = [start * sectorsize, size * sectorsize];
    if ((await digest(before, at, length)) !== (await digest(after, at, length))) {
      differences.push(`partition ${index + 1}`);
    }
  }
  const [old, now] = [await entries(resources, before), await entries(resources, after)];
  const paths = new Set([...old.keys(), ...now.keys()]);
  differences.push(...[...paths].filter((path) => old.get(path) !== now.get(path)).sort());
  return differences;
}

async function digest(file: string, offset: number, length: number): Promise<string> {
  const hash = createHash('sha256');
  if (length > 0) {
    for await (const chunk of createReadStream(file, { start: offset, end: offset + length - 1 })) hash.update(chunk);
  }
  return hash.digest('hex');
}

/** Path of each entry of the root, and everything about it in one text. */
async function entries(resources: Resources, file: string): Promise<Map<string, string>> {
  const offset = await rootOffsetBytes(file);
  const root = await resources.mount(file, { type: 'ext4', options: `loop,offset=${offset},ro,noload` });
  const found = new Map<string, string>();
  const list = await runCommand('find', ['.', '-xdev', '-printf', '%P\t%y %m %U:%G %s %l\n'], { cwd: root });
  for (const line of list.stdout.split('\n').filter((each) => each !== '')) {
    const [path = '', facts = ''] = line.split('\t');
    // The size of a folder is a matter of its history.
    found.set(`/${path}`, facts.startsWith('d') ? facts.replace(/ \d+ $/, '') : facts);
  }
  const sums = await runCommand('find', ['.', '-xdev', '-type', 'f', '-exec', 'sha256sum', '{}', '+'], { cwd: root });
  for (const line of sums.stdout.split('\n').filter((each) => each !== '')) {
    const path = line.slice(67);
    found.set(path, `${found.get(path)} ${line.slice(0, 64)}`);
  }
  return found;
}
