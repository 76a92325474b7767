import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { blockFolder, listNames, readAttribute, realRoots, type SystemRoots } from './sysfs.ts';

/**
 * Paths of the loop devices that a plain file is attached to, by whatever name it was given to them: what is on such a
 * device may be mounted, and its page cache is not the file's.
 */
export async function loopsOfFile(file: string, roots: SystemRoots = realRoots): Promise<string[]> {
  const wanted = await stat(file);
  const loops: string[] = [];
  for (const name of await listNames(join(roots.sysRoot, 'class/block'))) {
    if (!/^loop\d+$/.test(name)) continue;
    const backing = await readAttribute(join(blockFolder(roots, name), 'loop/backing_file'));
    const found = backing === null ? null : await stat(backing).catch(() => null);
    if (found !== null && found.dev === wanted.dev && found.ino === wanted.ino) loops.push(`/dev/${name}`);
  }
  return loops;
}
