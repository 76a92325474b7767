import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeBinary, repoDir } from './paths.ts';

/** Where everything lies that goes into the binary, and the builder itself. */
export const sourceFolders = [
  'agent',
  'cli',
  'control-plane',
  'core',
  'images/build',
  'installer',
  'protocol',
  'scripts/build',
];
export const sourceFiles = ['package.json', 'package-lock.json', 'sea-config.json', 'scripts/build-native'];

/**
 * Digest of every source that a build could read, in a tenth of a second: with the same one nothing needs to be bundled to
 * find that nothing has changed.
 * @param more What decides the result beside them.
 */
export function sourceKey(more: readonly unknown[], root: string = repoDir): string {
  const hash = createHash('sha256').update(JSON.stringify([nodeBinary, ...more]));
  for (const folder of sourceFolders) {
    const found = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
    const paths = found.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    for (const path of paths.sort()) hash.update(`${path.slice(root.length)}\0`).update(readFileSync(path));
  }
  for (const name of sourceFiles) hash.update(readFileSync(join(root, name)));
  return hash.digest('hex');
}
