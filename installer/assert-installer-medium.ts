import { statfsSync } from 'node:fs';
import { ProvisionError } from '../core/base/errors.ts';

/** In the archive inside the installer's kernel (initramfs/build/first-stage-files.ts), so in the root that it unpacks. */
export const installerMarker = '/durantic/installer-medium';

/** File systems in memory (statfs(2)): ramfs and tmpfs, one of which the kernel unpacks its archive into. */
const inMemory: ReadonlySet<number> = new Set([0x858458f6, 0x01021994]);

/**
 * Refuses to be the installer on a machine that was not started from it: the installer takes over network, clock,
 * consoles and watchdog, and does what a server says. A marker on a disk is a copy and counts for nothing.
 * @throws ProvisionError `usage`.
 */
export function assertInstallerMedium(marker = installerMarker): void {
  if (inMemory.has(fileSystemOf(marker))) return;
  throw new ProvisionError(
    'usage',
    '"durantic installer" runs only on a machine that was started from an installer medium, since it takes over ' +
      'network, consoles and clock. To give this machine to a server, use "durantic enroll"',
  );
}

/** 0 where there is no such file. */
function fileSystemOf(path: string): number {
  try {
    return statfsSync(path).type;
  } catch {
    return 0;
  }
}
