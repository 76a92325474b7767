import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** What `scripts/build-installer` has made: what the server is given with `--assets`. */
export const assetsDir = join(import.meta.dirname, '../../dist');

/** `dist/vmlinuz` or `dist/installer.iso`, or those of another folder. */
export function installerAsset(name: 'vmlinuz' | 'installer.iso', dir = assetsDir): string {
  const file = join(dir, name);
  if (!existsSync(file)) throw new Error(`there is no ${file}: build it with ./scripts/build-installer`);
  return file;
}
