import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** What `scripts/build-installer` has made: what the server is given with `--assets`. */
export const assetsDir = join(import.meta.dirname, '../../dist');

/** `dist/vmlinuz` or `dist/installer.iso`. */
export function installerAsset(name: 'vmlinuz' | 'installer.iso'): string {
  const file = join(assetsDir, name);
  if (!existsSync(file)) throw new Error(`there is no dist/${name}: build it with ./scripts/build-installer`);
  return file;
}
