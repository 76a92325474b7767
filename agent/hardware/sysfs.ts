import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errnoOf } from '../../core/base/errors.ts';

/** Where the kernel's views are; tests point them at folders. */
export interface SystemRoots {
  readonly sysRoot: string;
  readonly procRoot: string;
  readonly devRoot: string;
}

export const realRoots: SystemRoots = { sysRoot: '/sys', procRoot: '/proc', devRoot: '/dev' };

/** An attribute's text without surrounding white space; null where it does not exist, is empty or cannot be read. */
export async function readAttribute(path: string): Promise<string | null> {
  const bytes = await readBytes(path);
  const text = bytes?.toString('latin1').replaceAll('\0', ' ').trim() ?? '';
  return text === '' ? null : text;
}

/** An attribute's bytes; null where there is none. Some attributes answer with an error instead of being absent. */
export async function readBytes(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EINVAL', 'EIO', 'ENODEV', 'ENXIO', 'EACCES'].includes(errnoOf(error) ?? '')) return null;
    throw error;
  }
}

/** A number attribute; the fallback where there is none. */
export async function readNumber(path: string, fallback: number): Promise<number> {
  const text = await readAttribute(path);
  const value = text === null ? Number.NaN : Number(text);
  return Number.isFinite(value) ? value : fallback;
}

/** Names in a folder, sorted; none where it does not exist. */
export async function listNames(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}

export async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

/** `/sys/class/block/NAME` */
export function blockFolder(roots: SystemRoots, name: string): string {
  return join(roots.sysRoot, 'class/block', name);
}

/**
 * Kernel name of a block device node, by its device number where the node exists (so that links and nodes with other
 * names work), else by its name. Null when it is no block device that the kernel knows.
 */
export async function kernelName(path: string, roots: SystemRoots): Promise<string | null> {
  const node = path.startsWith('/dev/') ? join(roots.devRoot, path.slice('/dev/'.length)) : path;
  const stats = await stat(node).catch(() => null);
  if (stats?.isBlockDevice()) {
    const folder = join(roots.sysRoot, 'dev/block', deviceNumber(stats.rdev));
    const real = await realpath(folder).catch(() => null);
    if (real !== null) return basename(real);
  }
  if (stats !== null && !stats.isBlockDevice()) return null;
  const name = basename(path);
  return (await exists(blockFolder(roots, name))) ? name : null;
}

/** `major:minor` of a `dev_t` as Linux encodes it for user space (makedev(3)). */
export function deviceNumber(dev: number): string {
  const value = BigInt(dev);
  const major = ((value >> 8n) & 0xfffn) | ((value >> 32n) & 0xfffff000n);
  const minor = (value & 0xffn) | ((value >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}
