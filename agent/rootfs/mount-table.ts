import type { RootFiles } from './root-files.ts';

/**
 * The mount point of the image's fstab (fstab(5)) that will cover `path` at the next boot and is not mounted now, or
 * null. What is written below it would be there, but nobody would see it.
 */
export function coveringMount(files: RootFiles, path: string): string | null {
  const points = (files.readText('/etc/fstab') ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(/\s+/))
    .filter((fields) => !(fields[3] ?? '').split(',').includes('noauto'))
    .map((fields) => (fields[1] ?? '').replace(/\/+$/, ''));
  const rootDevice = files.lstat('/')?.dev;
  const covering = points.filter((point) => point.startsWith('/') && `${path}/`.startsWith(`${point}/`));
  const hidden = covering.filter((point) => !files.isDirectory(point) || files.lstat(point)?.dev === rootDevice);
  return hidden.sort((a, b) => b.length - a.length)[0] ?? null;
}
