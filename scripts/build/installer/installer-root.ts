import { aptSourcesFor } from '../../../images/build/debian-rootfs.ts';
import { type DebianRoot, debianRoot } from '../../../initramfs/build/debian-root.ts';
import { buildPackages, dataFiles, debianSuite, programs, sourcePackages } from '../../../initramfs/contents.ts';
import { cacheDir } from '../paths.ts';

/** Everything that is taken from Debian: what goes into the installer, and what makes it. */
export async function installerRoot(options: {
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
  readonly refresh?: boolean;
}): Promise<DebianRoot> {
  const names = [...Object.keys(programs), ...Object.keys(dataFiles), ...sourcePackages, ...buildPackages];
  return await debianRoot({
    suite: debianSuite,
    packages: [...new Set(names)],
    sources: await aptSourcesFor(debianSuite, options.signal),
    cacheDir,
    refresh: options.refresh ?? false,
    onProgress: options.print,
    signal: options.signal,
  });
}
