import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { ProvisionError } from '../../../core/base/errors.ts';
import { toolPath } from '../../../core/base/run-command.ts';

/** Program → the package that has it on Debian. */
const installTools: Readonly<Record<string, string>> = {
  sgdisk: 'gdisk',
  e2fsck: 'e2fsprogs',
  tune2fs: 'e2fsprogs',
  resize2fs: 'e2fsprogs',
  'mkfs.ext4': 'e2fsprogs',
  dumpe2fs: 'e2fsprogs',
  mdir: 'mtools',
  mcopy: 'mtools',
  mdel: 'mtools',
  tar: 'tar',
  losetup: 'mount',
  mount: 'mount',
  umount: 'mount',
};

/**
 * Looks for every program an installation runs, before anything is written.
 * @throws ProvisionError `tool_missing` naming all that are missing and Debian's packages.
 */
export async function checkTools(more: Readonly<Record<string, string>> = {}): Promise<void> {
  const wanted = { ...installTools, ...more };
  const missing: string[] = [];
  for (const tool of Object.keys(wanted)) if (!(await isInstalled(tool))) missing.push(tool);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((tool) => wanted[tool] ?? tool))];
  throw new ProvisionError(
    'tool_missing',
    `programs are not installed: ${missing.join(', ')} (Debian: apt-get install ${packages.join(' ')})`,
    {
      facts: { tools: missing },
    },
  );
}

async function isInstalled(tool: string): Promise<boolean> {
  for (const dir of toolPath().split(':')) {
    try {
      await access(join(dir, tool), constants.X_OK);
      return true;
    } catch {
      // Not in this folder; the next one may have it.
    }
  }
  return false;
}
