import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A key for what a folder (or one file) holds: names, kinds, execute bits, link targets, contents. Times and owners do
 * not count, since a git checkout makes its own.
 */
export async function hashFolder(path: string): Promise<string> {
  const hash = createHash('sha256');
  await addEntry(hash, path, '.');
  return hash.digest('hex');
}

async function addEntry(hash: Hash, path: string, name: string): Promise<void> {
  const stats = await lstat(path);
  const add = (...facts: readonly (string | number)[]): void => {
    hash.update(`${JSON.stringify([name, ...facts])}\n`);
  };
  if (stats.isSymbolicLink()) return add('link', await readlink(path));
  if (stats.isDirectory()) {
    add('folder');
    for (const child of (await readdir(path)).sort()) await addEntry(hash, join(path, child), `${name}/${child}`);
    return;
  }
  add('file', stats.mode & 0o111, stats.size);
  for await (const chunk of createReadStream(path)) hash.update(chunk);
}
