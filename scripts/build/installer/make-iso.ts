import {
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeIsoBlock, isoBlockPath } from '../../../core/boot-block/iso-block.ts';
import { tarOfFiles } from '../../../images/build/tar-of-files.ts';
import { runRootTool } from '../../../initramfs/build/root-tool.ts';
import { earlyScript, fatImageModules, grubMenu, grubModules, type KernelPlace } from './grub-menu.ts';
import { type Signing, signEfiProgram, systemdBoot } from './signing.ts';
import { systemdBootMenu } from './systemd-boot-menu.ts';

export interface IsoOptions {
  /** Debian root with GRUB, xorriso, mtools and dosfstools. */
  readonly root: string;
  readonly vmlinuz: string;
  readonly file: string;
  readonly signal: AbortSignal;
  /** Makes a medium that starts under Secure Boot; `vmlinuz` is signed already. */
  readonly signing?: Signing;
}

type GrubFormat = keyof typeof grubModules;

/** 2020-01-01, the date of everything on the medium. */
const epochSec = 1_577_836_800;
const isoDate = '2020010100000000';
const volumeName = 'DURANTIC';

const loaderPath = 'EFI/BOOT/BOOTX64.EFI';
const biosImage = 'boot/grub/bios.img';
const efiImage = 'boot/grub/efi.img';

const unsignedKernel: KernelPlace = { path: '/boot/vmlinuz', fatImage: null };
const signedKernel: KernelPlace = { path: '/vmlinuz', fatImage: `/${efiImage}` };

/**
 * The installer's ISO: boots by BIOS and UEFI, from a CD (El Torito) and, written to a stick, from MBR and GPT. It holds
 * the kernel, the block with settings, and GRUB in one file per firmware. The same kernel gives the same bytes.
 *
 * A signed medium differs for UEFI. GRUB takes no kernel under Secure Boot but by shim's word (grub-core/kern/lockdown.c:
 * "nobody cares"), so systemd-boot shows the same menu and lets the firmware check what it starts. It reads the file system
 * that it comes from, so the kernel lies there, and once only: BIOS GRUB looks into that image.
 * @throws ProvisionError `tool_missing`, `tool_failed`, `aborted`.
 */
export async function makeIso(options: IsoOptions): Promise<void> {
  const work = mkdtempSync(`${options.file}.work-`);
  try {
    const tree = join(work, 'tree');
    mkdirSync(join(tree, 'boot/grub'), { recursive: true });
    mkdirSync(dirname(join(tree, isoBlockPath)));
    writeFileSync(join(tree, isoBlockPath), encodeIsoBlock({}));
    writeFileSync(join(tree, biosImage), await makeBiosImage(work, options));
    if (options.signing === undefined) {
      linkOrCopy(options.vmlinuz, join(tree, unsignedKernel.path));
      await makeEfiImage(join(tree, efiImage), work, options);
    } else {
      await makeSignedEfiImage(join(tree, efiImage), work, { ...options, signing: options.signing });
    }
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
  const loader = join(work, 'BOOTX64.EFI');
  writeFileSync(loader, await makeCore(work, 'x86_64-efi', options));
  await makeFatImage(file, [{ from: loader, to: loaderPath }], options);
}

/** The same with a signed loader, its menu, and the kernel. */
async function makeSignedEfiImage(
  file: string,
  work: string,
  options: IsoOptions & { readonly signing: Signing },
): Promise<void> {
  const { signing, signal, vmlinuz } = options;
  const loader = join(work, 'BOOTX64.EFI');
  await signEfiProgram(systemdBoot(signing), loader, signing, signal);
  const menu = systemdBootMenu(signedKernel.path).map(({ path, text }, index) => {
    const from = join(work, `menu-${index}`);
    writeFileSync(from, text);
    return { from, to: path };
  });
  const kernel = join(work, 'vmlinuz');
  copyFileSync(vmlinuz, kernel);
  const files = [{ from: loader, to: loaderPath }, ...menu, { from: kernel, to: signedKernel.path.slice(1) }];
  await makeFatImage(file, files, options);
}

/** @param files get the medium's date; `to` is a path without leading slash. */
async function makeFatImage(
  file: string,
  files: readonly { readonly from: string; readonly to: string }[],
  { root, signal }: IsoOptions,
): Promise<void> {
  const sizes = files.map(({ from }) => statSync(from).size);
  const env = { TZ: 'UTC', MTOOLS_SKIP_CHECK: '1', GCONV_PATH: join(root, 'usr/lib/x86_64-linux-gnu/gconv') };
  const run = { signal, env, epochSec };
  await runRootTool(root, 'mkfs.fat', ['-C', '--invariant', '-n', volumeName, file, String(fatKib(sizes))], run);
  const folders = new Set(files.flatMap(({ to }) => parentsOf(to)));
  await runRootTool(root, 'mmd', ['-i', file, ...[...folders].map((folder) => `::/${folder}`)], run);
  for (const { from, to } of files) {
    utimesSync(from, epochSec, epochSec);
    await runRootTool(root, 'mcopy', ['-m', '-i', file, from, `::/${to}`], run);
  }
}

/** Of a file system that holds files of these sizes: they, and its own tables and folders. */
function fatKib(sizes: readonly number[]): number {
  const kib = sizes.reduce((sum, size) => sum + Math.ceil(size / 1024), 0);
  // One loader alone has had 64 KiB from the beginning; tables and halves of clusters grow with what there is.
  return sizes.length === 1 ? kib + 64 : kib + 1024 + Math.ceil(kib / 100);
}

function parentsOf(path: string): string[] {
  const parent = dirname(path);
  return parent === '.' ? [] : [...parentsOf(parent), parent];
}

async function makeCore(work: string, format: GrubFormat, { root, signal, signing }: IsoOptions): Promise<Buffer> {
  const kernel = signing === undefined ? unsignedKernel : signedKernel;
  const modules = [...grubModules[format], ...(kernel.fatImage === null ? [] : fatImageModules)];
  const files = { early: join(work, `${format}.cfg`), memdisk: join(work, `${format}.tar`), core: join(work, format) };
  writeFileSync(files.early, earlyScript);
  writeFileSync(files.memdisk, tarOfFiles([{ name: 'menu.cfg', data: Buffer.from(grubMenu(isoBlockPath, kernel)) }]));
  const folder = join(root, 'usr/lib/grub', format);
  // -m sets a prefix of its own, so -p comes after it.
  const image = ['-m', files.memdisk, '-p', '(memdisk)', '-c', files.early, '-o', files.core];
  const args = ['-O', format, '-d', folder, ...image, ...modules];
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
