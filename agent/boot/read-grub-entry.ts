import { ProvisionError } from '../../core/base/errors.ts';
import type { FoundFile } from './grub-disk.ts';
import { GrubMachine, type LoadedKernel, type MenuEntry } from './grub-machine.ts';
import type { InstalledDisk } from './installed-disk.ts';
import type { BootEntry, BootPlatform } from './read-boot-entry.ts';

/** Variables that say what GRUB can do (grub-core/normal/main.c, `features`). */
const features = [
  'feature_chainloader_bpb',
  'feature_ntldr',
  'feature_platform_search_hint',
  'feature_default_font_path',
  'feature_all_video_module',
  'feature_menuentry_id',
  'feature_menuentry_options',
  'feature_200_final',
  'feature_nativedisk_cmd',
  'feature_timeout_style',
];

const configDirs = ['/boot/grub', '/boot/grub2'];
const deepestSubmenu = 8;

/**
 * The entry that GRUB starts by default, or null when the disk has no grub.cfg. On UEFI a stub on the ESP comes first,
 * as it does for the signed loaders of distributions.
 * @throws ProvisionError `boot_path_invalid`: no entry, a kernel that is missing, a file system that is not there.
 */
export function readGrubEntry(disk: InstalledDisk, platform: BootPlatform): BootEntry | null {
  const fromStub = platform === 'efi' ? runStubs(disk) : null;
  if (fromStub !== null) return defaultEntry(disk, fromStub.machine, fromStub.configPath);
  const dir = configDirs.find((one) => disk.files.isFile(`${one}/grub.cfg`));
  if (dir === undefined) return null;
  const configPath = `${dir}/grub.cfg`;
  const machine = newMachine(disk, platform);
  machine.env.set('prefix', grubPath(disk, dir));
  machine.runScript(disk.files.readText(configPath) ?? '', configPath);
  return defaultEntry(disk, machine, configPath);
}

function newMachine(disk: InstalledDisk, platform: BootPlatform): GrubMachine {
  const { grub } = disk;
  const machine = new GrubMachine(grub, {
    root: `hd0,gpt${grub.bootNumber}`,
    grub_platform: platform,
    grub_cpu: platform === 'pc' ? 'i386' : 'x86_64',
    cmdpath: platform === 'efi' ? `(hd0,gpt${grub.espNumber ?? 0})/EFI/BOOT` : '(hd0)',
  });
  for (const feature of features) machine.env.set(feature, 'y');
  return machine;
}

/** `/boot/grub` as GRUB names it: on a boot partition of its own there is no `/boot` in front. */
function grubPath(disk: InstalledDisk, dir: string): string {
  const local = disk.grub.hasSeparateBoot ? dir.replace(/^\/boot/, '') : dir;
  return `(hd0,gpt${disk.grub.bootNumber})${local}`;
}

/** Runs the small grub.cfg files of the ESP; the first that leads to a menu is the one that counts. */
function runStubs(disk: InstalledDisk): { machine: GrubMachine; configPath: string } | null {
  const stubs = disk.espPaths
    .filter((path) => /^\/EFI\/[^/]+\/grub\.cfg$/i.test(path))
    .sort((a, b) => Number(/^\/efi\/boot\//i.test(b)) - Number(/^\/efi\/boot\//i.test(a)));
  let failure: ProvisionError | null = null;
  for (const path of stubs) {
    const machine = newMachine(disk, 'efi');
    const device = `hd0,gpt${disk.grub.espNumber ?? 0}`;
    machine.env.set('root', device);
    machine.env.set('prefix', `(${device})${path.slice(0, path.lastIndexOf('/'))}`);
    machine.runScript(disk.grub.readText(path, device) ?? '', `esp:${path}`);
    if (machine.menu.length > 0) return { machine, configPath: `esp:${path}` };
    const [missing] = machine.missing;
    if (missing !== undefined) failure ??= missingFilesystem(`esp:${path}`, missing);
  }
  if (failure !== null) throw failure;
  return null;
}

function defaultEntry(disk: InstalledDisk, machine: GrubMachine, configPath: string): BootEntry {
  const [missing] = machine.missing;
  let entry = pick(machine.menu, machine.env.get('default') ?? '0');
  const isAsked = (): boolean => entry?.isRestricted === true && machine.env.has('superusers');
  let isLocked = isAsked();
  for (let depth = 0; entry?.isSubmenu === true && depth < deepestSubmenu; depth += 1) {
    const rest = (machine.env.get('default') ?? '').split('>').slice(depth + 1);
    machine.runEntry(entry);
    entry = pick(machine.menu, rest.join('>') || '0');
    isLocked ||= isAsked();
  }
  if (entry === undefined) throw invalid(`${configPath} makes no menu entry`, { config: configPath });
  const loaded = machine.runEntry(entry);
  const searched = machine.missing.at(-1);
  if (loaded === null)
    throw invalid(`the entry "${entry.title}" of ${configPath} loads no kernel`, { config: configPath });
  const failed = missing ?? searched;
  const find = (path: string): FoundFile => {
    const found = disk.grub.find(path, machine.env.get('root') ?? '');
    if (found !== null) return found;
    if (failed !== undefined) throw missingFilesystem(configPath, failed);
    throw invalid(`the entry "${entry.title}" of ${configPath} loads ${path}, which does not exist`, {
      config: configPath,
      file: path,
    });
  };
  return toBootEntry(loaded, { configPath, title: entry.title, isLocked, find });
}

function toBootEntry(
  loaded: LoadedKernel,
  from: { configPath: string; title: string; isLocked: boolean; find: (path: string) => FoundFile },
): BootEntry {
  return {
    loader: 'grub',
    configPath: from.configPath,
    title: from.title,
    kernel: from.find(loaded.kernel),
    initrds: loaded.initrds.map(from.find),
    commandLine: loaded.commandLine,
    isLocked: from.isLocked,
  };
}

/** `default` is a number, a title or an id, with `>` between the levels; what does not match means the first entry. */
function pick(menu: readonly MenuEntry[], wanted: string): MenuEntry | undefined {
  const exact = menu.find(({ title, id }) => title === wanted || id === wanted);
  const first = wanted.split('>')[0] ?? '';
  const byNumber = /^\d+$/.test(first) ? menu[Number(first)] : undefined;
  return exact ?? menu.find(({ title, id }) => title === first || id === first) ?? byNumber ?? menu[0];
}

function missingFilesystem(configPath: string, name: string): ProvisionError {
  return invalid(`${configPath} looks for ${name}, which is not on the installed disk`, {
    config: configPath,
    wanted: name,
  });
}

function invalid(message: string, facts: Record<string, string>): ProvisionError {
  return new ProvisionError('boot_path_invalid', message, { facts });
}
