import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeBinary, repoDir } from './paths.ts';

/** Where everything lies that goes into the binary, and the builder itself. */
const folders = ['agent', 'cli', 'control-plane', 'core', 'images/build', 'installer', 'protocol', 'scripts/build'];
const files = ['package.json', 'package-lock.json', 'sea-config.json', 'scripts/build-native'];

/**
 * Digest of every source that a build could read, in a tenth of a second: with the same one nothing needs to be bundled to
 * find that nothing has changed.
 * @param more What decides the result beside them.
 */
export function sourceKey(more: readonly unknown[]): string {
  const hash = createHash('sha256').update(JSON.stringify([nodeBinary, ...more]));
  for (const folder of folders) {
    const found = readdirSync(join(repoDir, folder), { recursive: true, withFileTypes: true });
    const paths = found.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    for (const path of paths.sort()) hash.update(`${path.slice(repoDir.length)}\0`).update(readFileSync(path));
  }
  for (const name of files) hash.update(readFileSync(join(repoDir, name)));
  return hash.digest('hex');
}
