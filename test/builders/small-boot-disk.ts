import { runCommand } from '../../core/base/run-command.ts';
import type { Resources } from '../resources.ts';
import { makeDiskFixture } from './loop-disk.ts';

/**
 * A layer 0 of 104 MiB, a fifth of `makeBootDisk`'s: GRUB for BIOS, an ESP, an empty root. For machines that write it in
 * software emulation.
 */
export async function makeSmallBootDisk(resources: Resources): Promise<string> {
  const { file, root } = await makeDiskFixture(resources, { espTree: { 'startup.nsh': 'exit' } });
  await runCommand('umount', [root]);
  return file;
}
