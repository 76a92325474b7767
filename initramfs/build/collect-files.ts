import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import type { CpioEntry } from '../../core/cpio/cpio.ts';
import { isDynamic } from './is-dynamic.ts';
import { librariesOf } from './root-tool.ts';

const mergedFolders = /^(bin|sbin|lib|lib64)(?=\/|$)/;

/** Where a path lies on a system whose /bin, /sbin and /lib are links into /usr. Without a slash in front. */
export function mergedPath(path: string): string {
  return path.replace(/^\/+/, '').replace(mergedFolders, 'usr/$1');
}

/**
 * The files of a Debian root that the paths name, with the targets of links and every library that programs load, each
 * once, by path.
 * @throws when a file is missing or would load something from outside the root.
 */
export async function collectFiles(root: string, paths: readonly string[]): Promise<CpioEntry[]> {
  const entries = new Map<string, CpioEntry>();
  const waiting = paths.map(mergedPath);
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (entries.has(path)) continue;
    const source = join(root, path);
    const stats = lstatSync(source);
    if (stats.isSymbolicLink()) {
      const target = readlinkSync(source);
      entries.set(path, { path, kind: 'symlink', target });
      waiting.push(linkTarget(path, target));
    } else if (stats.isFile()) {
      entries.set(path, fileEntry(path, source));
      if (isDynamic(source)) waiting.push(...(await librariesOf(root, source)).map(mergedPath));
    } else {
      throw new Error(`${source} is neither file nor link`);
    }
  }
  return [...entries.values()];
}

/** The entry of a file of this machine; whether it can be run is kept, nothing else of its mode. */
export function fileEntry(path: string, source: string): CpioEntry {
  return { path, kind: 'file', isExecutable: (statSync(source).mode & 0o111) !== 0, source: realpathSync(source) };
}

function linkTarget(path: string, target: string): string {
  return mergedPath(normalize(target.startsWith('/') ? target : join(dirname(path), target)));
}
