import { runCommand } from '../../core/base/run-command.ts';

/**
 * The highest version of glibc that an ELF object refers to, `2.28` (gnu version requirements, LSB Core 10.7).
 * The marker GLIBC_ABI_DT_RELR means that the loader must be 2.36 or later.
 */
export async function glibcNeeded(path: string): Promise<string> {
  const { stdout } = await runCommand('readelf', ['--version-info', '--wide', path]);
  return highestGlibc(stdout);
}

/** The highest version in what `readelf --version-info` prints. */
export function highestGlibc(text: string): string {
  const versions = [...text.matchAll(/Name: GLIBC_(\d+\.\d+)/g)].map((match) => match[1] ?? '');
  if (text.includes('GLIBC_ABI_DT_RELR')) versions.push('2.36');
  return versions.reduce((highest, version) => (compareVersions(version, highest) > 0 ? version : highest), '2.0');
}

/** Negative, zero or positive, comparing part by part as numbers: 2.4 is older than 2.28. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((version) => version.split('.').map(Number));
  for (let index = 0; index < Math.max(a?.length ?? 0, b?.length ?? 0); index += 1) {
    const difference = (a?.[index] ?? 0) - (b?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
