import {
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeIsoBlock, isoBlockPath } from '../../../core/boot-block/iso-block.ts';
import { tarOfFiles } from '../../../images/build/tar-of-files.ts';
import { runRootTool } from '../../../initramfs/build/root-tool.ts';
import { earlyScript, grubMenu, grubModules, kernelPath } from './grub-menu.ts';

export interface IsoOptions {
  /** Debian root with GRUB, xorriso, mtools and dosfstools. */
  readonly root: string;
  readonly vmlinuz: string;
  readonly file: string;
  readonly signal: AbortSignal;
}

type GrubFormat = keyof typeof grubModules;

/** 2020-01-01, the date of everything on the medium. */
const epochSec = 1_577_836_800;
const isoDate = '2020010100000000';
const volumeName = 'DURANTIC';

const biosImage = 'boot/grub/bios.img';
const efiImage = 'boot/grub/efi.img';

/**
 * The installer's ISO: boots by BIOS and UEFI, from a CD (El Torito) and, written to a stick, from MBR and GPT. It holds
 * the kernel, the block with settings, and GRUB in one file per firmware. The same kernel gives the same bytes.
 * @throws ProvisionError `tool_missing`, `tool_failed`, `aborted`.
 */
export async function makeIso(options: IsoOptions): Promise<void> {
  const work = mkdtempSync(`${options.file}.work-`);
  try {
    const tree = join(work, 'tree');
    mkdirSync(join(tree, 'boot/grub'), { recursive: true });
    linkOrCopy(options.vmlinuz, join(tree, kernelPath));
    mkdirSync(dirname(join(tree, isoBlockPath)));
    writeFileSync(join(tree, isoBlockPath), encodeIsoBlock({}));
    writeFileSync(join(tree, biosImage), await makeBiosImage(work, options));
    await makeEfiImage(join(tree, efiImage), work, options);
    await runXorriso(tree, join(work, 'iso'), options);
    renameSync(join(work, 'iso'), options.file);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function runXorriso(tree: string, file: string, { root, signal }: IsoOptions): Promise<void> {
  const grub = join(root, 'usr/lib/grub/i386-pc');
  const dates = [`--modification-date=${isoDate}`, `--set_all_file_dates`, isoDate];
  const bios = ['-b', biosImage, '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table', '--grub2-boot-info'];
  const stick = ['--grub2-mbr', join(grub, 'boot_hybrid.img'), '--mbr-force-bootable', '--protective-msdos-label'];
  const efi = ['--efi-boot', efiImage, '-efi-boot-part', '--efi-boot-image'];
  const names = ['-V', volumeName, '-r', '-iso-level', '3', '-sysid', '', '-p', 'durantic'];
  const args = ['-no_rc', '-as', 'mkisofs', '-quiet', ...names, ...dates, ...bios, ...stick, ...efi, '-o', file, tree];
  await runRootTool(root, 'xorriso', args, { signal, epochSec });
}

/** El Torito's no-emulation image: GRUB's CD loader in front of the core. */
async function makeBiosImage(work: string, options: IsoOptions): Promise<Buffer> {
  const core = await makeCore(work, 'i386-pc', options);
  return Buffer.concat([readFileSync(join(options.root, 'usr/lib/grub/i386-pc/cdboot.img')), core]);
}

/** A FAT file system with the loader at the path of removable media (UEFI specification 2.10, section 3.5.1.1). */
async function makeEfiImage(file: string, work: string, options: IsoOptions): Promise<void> {
  const { root, signal } = options;
  const loader = join(work, 'BOOTX64.EFI');
  const core = await makeCore(work, 'x86_64-efi', options);
  writeFileSync(loader, core);
  utimesSync(loader, epochSec, epochSec);
  const kib = Math.ceil(core.length / 1024) + 64;
  const env = { TZ: 'UTC', MTOOLS_SKIP_CHECK: '1', GCONV_PATH: join(root, 'usr/lib/x86_64-linux-gnu/gconv') };
  const run = { signal, env, epochSec };
  await runRootTool(root, 'mkfs.fat', ['-C', '--invariant', '-n', volumeName, file, String(kib)], run);
  await runRootTool(root, 'mmd', ['-i', file, '::/EFI', '::/EFI/BOOT'], run);
  await runRootTool(root, 'mcopy', ['-m', '-i', file, loader, '::/EFI/BOOT/BOOTX64.EFI'], run);
}

async function makeCore(work: string, format: GrubFormat, { root, signal }: IsoOptions): Promise<Buffer> {
  const files = { early: join(work, `${format}.cfg`), memdisk: join(work, `${format}.tar`), core: join(work, format) };
  writeFileSync(files.early, earlyScript);
  writeFileSync(files.memdisk, tarOfFiles([{ name: 'menu.cfg', data: Buffer.from(grubMenu(isoBlockPath)) }]));
  const folder = join(root, 'usr/lib/grub', format);
  // -m sets a prefix of its own, so -p comes after it.
  const image = ['-m', files.memdisk, '-p', '(memdisk)', '-c', files.early, '-o', files.core];
  const args = ['-O', format, '-d', folder, ...image, ...grubModules[format]];
  await runRootTool(root, 'grub-mkimage', args, { signal, epochSec });
  return readFileSync(files.core);
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}
