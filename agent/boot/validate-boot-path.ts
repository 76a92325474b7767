import { open } from 'node:fs/promises';
import { asProvisionError, ProvisionError } from '../../core/base/errors.ts';
import type { RootfsContext } from '../rootfs/types.ts';
import { checkRootArgument } from './check-root-argument.ts';
import type { FoundFile } from './grub-disk.ts';
import { type BootLayout, type InstalledDisk, openInstalledDisk } from './installed-disk.ts';
import { peMachineX64, peSubsystemEfiApplication } from './pe-file.ts';
import { type BootEntry, readBootEntryOf } from './read-boot-entry.ts';
import { readRemovableLoader, removableLoaderPath } from './removable-loader.ts';

export interface BootPathInput extends BootLayout {
  /** Firmware that must be able to start the disk; `either` for a disk that is made for another machine. */
  readonly firmware: 'bios' | 'uefi' | 'either';
  /** The disk's first bytes as they will be committed, at least LBA 0. */
  readonly head: Buffer;
  /** The BIOS boot partition: its node, and where it starts on the disk. */
  readonly biosBoot: { readonly device: string; readonly startBytes: number } | null;
}

/** What was found to boot. Only `validateBootPath` makes one. */
export interface BootEvidence {
  readonly firmware: readonly ('bios' | 'uefi')[];
  /** The entry of the first firmware in the list. */
  readonly entry: BootEntry;
  /** One fact a line, for the log and the events. */
  readonly lines: readonly string[];
  readonly warnings: readonly string[];
}

/** Boot code ends here in a protective MBR (UEFI 2.10, section 5.2.3). */
const bootCodeBytes = 440;
/** GRUB_BOOT_MACHINE_KERNEL_SECTOR in boot.img, in 512-byte sectors. */
const coreSectorAt = 0x5c;
const firstCoreBytes = 64 * 1024;

/**
 * Proves as far as files can that the disk will boot, before the table is committed: the loader that the firmware
 * starts, its configuration, the kernel and initrds of the default entry, and that the kernel's root is the installed
 * one.
 * @throws ProvisionError `boot_path_invalid` naming the first link of the chain that is missing.
 */
export async function validateBootPath(input: BootPathInput, ctx: RootfsContext): Promise<BootEvidence> {
  const disk = await openInstalledDisk(input, ctx);
  const wanted = input.firmware === 'either' ? (['bios', 'uefi'] as const) : [input.firmware];
  const valid: { firmware: 'bios' | 'uefi'; entry: BootEntry }[] = [];
  const lines: string[] = [];
  const warnings: string[] = [];
  let failure: ProvisionError | null = null;
  for (const firmware of wanted) {
    try {
      const loader = firmware === 'bios' ? await checkBiosLoader(input) : await checkUefiLoader(disk);
      const entry = await readBootEntryOf(disk, firmware === 'bios' ? 'pc' : 'efi');
      const checked = await checkEntry(disk, entry, firmware);
      lines.push(loader, ...checked.lines);
      warnings.push(...checked.warnings);
      valid.push({ firmware, entry });
    } catch (error) {
      if (asProvisionError(error).code !== 'boot_path_invalid') throw error;
      failure ??= asProvisionError(error);
      if (isPresent(input, firmware))
        warnings.push(`the disk will not boot by ${firmware}: ${asProvisionError(error).message}`);
    }
  }
  const [first] = valid;
  if (first === undefined) throw failure ?? new ProvisionError('invariant', 'no firmware was asked for');
  return {
    firmware: valid.map(({ firmware }) => firmware),
    entry: first.entry,
    lines,
    warnings: [...new Set(warnings)],
  };
}

function isPresent(input: BootPathInput, firmware: 'bios' | 'uefi'): boolean {
  return firmware === 'bios' ? input.biosBoot !== null : input.espDevice !== null;
}

async function checkBiosLoader(input: BootPathInput): Promise<string> {
  const code = input.head.subarray(0, bootCodeBytes);
  if (code.every((byte) => byte === 0)) throw invalid('the first sector of the disk holds no boot code');
  if (input.head.readUInt16LE(510) !== 0xaa55) throw invalid('the first sector of the disk lacks the boot signature');
  if (input.biosBoot === null) throw invalid('the disk has no BIOS boot partition');
  const { device, startBytes } = input.biosBoot;
  await using handle = await open(device, 'r');
  const core = Buffer.alloc(firstCoreBytes);
  const { bytesRead } = await handle.read(core, 0, firstCoreBytes, 0);
  if (core.subarray(0, bytesRead).every((byte) => byte === 0)) throw invalid('the BIOS boot partition is empty');
  // "GRUB" among the messages of boot.img
  const isGrub = code.includes('GRUB');
  const coreAt = Number(input.head.readBigUInt64LE(coreSectorAt)) * 512;
  if (isGrub && coreAt !== startBytes) {
    throw invalid(`the boot code loads GRUB from byte ${coreAt}, the BIOS boot partition starts at ${startBytes}`);
  }
  return `BIOS: boot code in sector 0, ${isGrub ? 'GRUB ' : ''}core in the BIOS boot partition`;
}

async function checkUefiLoader(disk: InstalledDisk): Promise<string> {
  if (disk.layout.espDevice === null) throw invalid('the disk has no EFI system partition');
  if (disk.esp === null) throw invalid('the EFI system partition holds no FAT filesystem that can be read');
  const loader = await readRemovableLoader(disk);
  if (loader === null) throw invalid(`the EFI system partition has no ${removableLoaderPath}`);
  const { pe, path, bytes } = loader;
  if (pe === null || pe.machine !== peMachineX64 || pe.subsystem !== peSubsystemEfiApplication) {
    throw invalid(`${path} on the EFI system partition is no EFI program for x86-64`);
  }
  const truncated = pe.sections.find(({ offsetBytes, sizeBytes }) => offsetBytes + sizeBytes > bytes.byteLength);
  if (truncated !== undefined) throw invalid(`${path} on the EFI system partition is cut off`);
  return `UEFI: ${path} (${bytes.byteLength} bytes)`;
}

async function checkEntry(
  disk: InstalledDisk,
  entry: BootEntry,
  firmware: 'bios' | 'uefi',
): Promise<{ lines: string[]; warnings: string[] }> {
  const kernel = await readStart(disk, entry.kernel);
  if (entry.loader !== 'unified kernel image' && !isKernel(kernel)) {
    throw invalid(`${place(entry.kernel)}, which ${entry.configPath} starts, is no Linux kernel`);
  }
  for (const initrd of entry.initrds) {
    const start = await readStart(disk, initrd);
    if (start.every((byte) => byte === 0)) {
      throw invalid(`${place(initrd)}, which ${entry.configPath} loads, is empty`);
    }
  }
  const root = checkRootArgument(entry.commandLine, disk.layout);
  const initrds = entry.initrds.map(place).join(', ') || 'no initrd';
  return {
    lines: [`${firmware}: ${entry.configPath} starts "${entry.title}": ${place(entry.kernel)}, ${initrds}`, root.line],
    warnings: root.warnings,
  };
}

/** `HdrS` of the x86 boot protocol (Documentation/arch/x86/boot.rst, offset 0x202), or an EFI stub. */
function isKernel(start: Buffer): boolean {
  return start.toString('latin1', 0x202, 0x206) === 'HdrS' || start.toString('latin1', 0, 2) === 'MZ';
}

async function readStart(disk: InstalledDisk, file: FoundFile): Promise<Buffer> {
  const lengthBytes = 4096;
  if (file.on === 'esp' && disk.esp !== null) return (await disk.esp.read(file.path)).subarray(0, lengthBytes);
  await using handle = await open(disk.files.hostPath(file.path, { followLast: true }), 'r');
  const buffer = Buffer.alloc(lengthBytes);
  const { bytesRead } = await handle.read(buffer, 0, lengthBytes, 0);
  return buffer.subarray(0, bytesRead);
}

function place(file: FoundFile): string {
  return file.on === 'esp' ? `esp:${file.path}` : file.path;
}

function invalid(message: string): ProvisionError {
  return new ProvisionError('boot_path_invalid', message);
}
