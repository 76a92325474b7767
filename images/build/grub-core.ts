import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { biosModules, biosPrefix, efiModules, efiPrefix, embeddedConfig, startScript } from './grub-config.ts';
import { tarOfFiles } from './tar-of-files.ts';

/** Where Debian's grub-pc-bin and grub-efi-amd64-bin put their files. */
export const grubFolder = '/usr/lib/grub';

const sectorBytes = 512;
const mbrCodeBytes = 440;
/** boot.S: GRUB_BOOT_MACHINE_KERNEL_SECTOR, the first sector of the core as a 64-bit number. */
const kernelSectorOffset = 0x5c;
/** boot.S: GRUB_BOOT_MACHINE_DRIVE_CHECK; two NOPs there keep the drive number that the BIOS gave. */
const driveCheckOffset = 0x66;
/** diskboot.S: the block list at the end of the first sector; its only entry starts with a 64-bit sector number. */
const blockListOffset = sectorBytes - 12;

export interface BiosCore {
  /** Boot code for the first 440 bytes of LBA 0. */
  readonly bootCode: Buffer;
  readonly core: Buffer;
}

/**
 * GRUB for BIOS: boot.img and core.img, joined by the byte patches that grub-bios-setup makes (grub 2.06
 * util/setup.c), so that neither a chroot nor a loop device is needed.
 * @param firstLba first 512-byte sector of the BIOS boot partition; `capacityBytes` its size.
 * @throws ProvisionError `tool_missing`, `tool_failed`, `image_build_failed` (core too large).
 */
export async function makeBiosCore(
  workDir: string,
  place: { firstLba: number; capacityBytes: number },
  signal: AbortSignal,
): Promise<BiosCore> {
  const core = await makeCore({ workDir, format: 'i386-pc', prefix: biosPrefix, modules: biosModules }, signal);
  if (core.length > place.capacityBytes) {
    throw new ProvisionError(
      'image_build_failed',
      `the GRUB core of ${core.length} bytes does not fit the BIOS boot partition of ${place.capacityBytes} bytes`,
    );
  }
  const boot = await readGrubFile('i386-pc/boot.img');
  return patchBiosCore(boot, core, place.firstLba);
}

/** The byte patches by themselves. */
export function patchBiosCore(boot: Buffer, core: Buffer, firstLba: number): BiosCore {
  const bootCode = Buffer.from(boot.subarray(0, mbrCodeBytes));
  bootCode.writeBigUInt64LE(BigInt(firstLba), kernelSectorOffset);
  bootCode.writeUInt16LE(0x9090, driveCheckOffset);
  const patched = Buffer.from(core);
  patched.writeBigUInt64LE(BigInt(firstLba + 1), blockListOffset);
  return { bootCode, core: patched };
}

/** GRUB for UEFI, for `/EFI/BOOT/BOOTX64.EFI`. */
export async function makeEfiCore(workDir: string, signal: AbortSignal): Promise<Buffer> {
  return await makeCore({ workDir, format: 'x86_64-efi', prefix: efiPrefix, modules: efiModules }, signal);
}

interface CoreOptions {
  readonly workDir: string;
  readonly format: 'i386-pc' | 'x86_64-efi';
  readonly prefix: string;
  readonly modules: readonly string[];
}

async function makeCore(options: CoreOptions, signal: AbortSignal): Promise<Buffer> {
  const folder = join(options.workDir, options.format);
  await mkdir(folder, { recursive: true });
  const paths = { config: join(folder, 'early.cfg'), memdisk: join(folder, 'memdisk.tar'), core: join(folder, 'core') };
  await writeFile(paths.config, embeddedConfig);
  await writeFile(paths.memdisk, tarOfFiles([{ name: 'start.cfg', data: Buffer.from(startScript) }]));
  await readGrubFile(`${options.format}/moddep.lst`);
  await runCommand(
    'grub-mkimage',
    [
      // -m sets a prefix of its own, so -p comes after it.
      ...['-O', options.format, '-d', join(grubFolder, options.format), '-m', paths.memdisk, '-p', options.prefix],
      ...['-c', paths.config, '-o', paths.core, ...options.modules],
    ],
    { signal, env: { SOURCE_DATE_EPOCH: '0' } },
  );
  return await readFile(paths.core);
}

async function readGrubFile(name: string): Promise<Buffer> {
  try {
    return await readFile(join(grubFolder, name));
  } catch (error) {
    const wanted = name.startsWith('i386-pc') ? 'grub-pc-bin' : 'grub-efi-amd64-bin';
    throw new ProvisionError('tool_missing', `${join(grubFolder, name)} is missing; install the package ${wanted}`, {
      cause: error,
    });
  }
}
