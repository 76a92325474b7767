import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { repoDir } from '../paths.ts';

/** The package files that the last release of the installer was made of: whoever has the same gets the same bytes. */
export const recordFile = join(repoDir, 'initramfs', 'debian-packages.txt');

export function recordPackages(packages: readonly string[], file = recordFile): void {
  writeFileSync(file, packages.map((name) => `${name}\n`).join(''));
}

/**
 * A sentence about how the packages differ from the recorded ones; null when they do not. Mirrors drop old versions, so
 * that a difference is no error.
 */
export function describeDifference(packages: readonly string[], file = recordFile): string | null {
  const recorded = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
  const [had, has] = [new Set(recorded), new Set(packages)];
  const others = packages.filter((name) => !had.has(name));
  const gone = recorded.filter((name) => !has.has(name));
  if (others.length === 0 && gone.length === 0) return null;
  const examples = (others.length > 0 ? others : gone).slice(0, 3).join(', ');
  const count = Math.max(others.length, gone.length);
  return (
    `${count} of ${packages.length} Debian packages are not those of ${relative(repoDir, file)} (${examples}${count > 3 ? ', …' : ''}): ` +
    'the result is not byte for byte that of others'
  );
}
