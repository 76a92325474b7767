import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { installerRoot } from '../../scripts/build/installer/installer-root.ts';
import { makeIso } from '../../scripts/build/installer/make-iso.ts';
import { openSigning, signEfiProgram } from '../../scripts/build/installer/signing.ts';
import type { Resources } from '../resources.ts';
import { installerAsset } from './installer-assets.ts';
import { secureBootKey } from './secure-boot-key.ts';

const { signal } = new AbortController();
const print = (line: string): void => console.log(line);

/**
 * A folder with `vmlinuz` and `installer.iso` as `scripts/build-installer --sign` makes them of the built kernel, signed
 * with the key that firmware `ovmf-secure` believes. `dist/` stays as it is.
 * @param options `hasSignedKernel`: false for a medium whose loader alone is signed.
 */
export async function signedInstaller(
  resources: Resources,
  options: { readonly hasSignedKernel: boolean },
): Promise<string> {
  const dir = resources.tempDir();
  const vmlinuz = join(dir, 'vmlinuz');
  const signing = await openSigning({ ...secureBootKey(resources), print, signal });
  if (options.hasSignedKernel) await signEfiProgram(installerAsset('vmlinuz'), vmlinuz, signing, signal);
  else copyFileSync(installerAsset('vmlinuz'), vmlinuz);
  const { dir: root } = await installerRoot({ print, signal });
  await makeIso({ root, vmlinuz, file: join(dir, 'installer.iso'), signing, signal });
  return dir;
}
