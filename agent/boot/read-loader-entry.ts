import { ProvisionError } from '../../core/base/errors.ts';
import type { FoundFile } from './grub-disk.ts';
import type { InstalledDisk } from './installed-disk.ts';
import { type LoaderEntry, parseLoaderEntry, sortLoaderEntries } from './loader-entry.ts';
import { type PeFile, parsePeFile } from './pe-file.ts';
import type { BootEntry } from './read-boot-entry.ts';
import { readRemovableLoader } from './removable-loader.ts';

/** A loader entry and the partition it lies on: its paths are relative to that. */
interface PlacedEntry extends LoaderEntry {
  readonly device: string;
  readonly configPath: string;
}

/**
 * The default of systemd-boot (systemd-boot(7), loader.conf(5)), or the unified kernel image that firmware starts
 * directly. Null when the loader on the removable path is another one.
 * @throws ProvisionError `boot_path_invalid`: no entry, or a kernel or initrd that is missing.
 */
export async function readLoaderEntry(disk: InstalledDisk): Promise<BootEntry | null> {
  const loader = await readRemovableLoader(disk);
  if (loader === null || disk.esp === null) return null;
  if (loader.kind === 'unified kernel image') return unified(loader.path, loader.bytes, loader.pe);
  if (loader.kind !== 'systemd-boot') return null;
  const entries = placedEntries(disk);
  const wanted = /^default[ \t]+(\S+)/m.exec(disk.grub.readText('/loader/loader.conf', espDevice(disk)) ?? '')?.[1];
  const ordered = sortLoaderEntries(entries);
  const entry = ordered.find(({ id }) => wanted !== undefined && matchesGlob(wanted, id)) ?? ordered[0];
  if (entry !== undefined) return toBootEntry(disk, entry);
  const image = unifiedImages(disk).find((path) => wanted === undefined || matchesGlob(wanted, baseName(path)));
  const path = image ?? unifiedImages(disk)[0];
  if (path === undefined) {
    throw new ProvisionError(
      'boot_path_invalid',
      'systemd-boot on the ESP has no loader entry and no kernel image to start',
    );
  }
  const bytes = await disk.esp.read(path);
  return unified(path, bytes, parsePeFile(bytes));
}

function espDevice(disk: InstalledDisk): string {
  return `hd0,gpt${disk.grub.espNumber ?? 0}`;
}

function placedEntries(disk: InstalledDisk): PlacedEntry[] {
  const devices = [espDevice(disk)];
  if (disk.grub.hasSeparateBoot) devices.push(`hd0,gpt${disk.grub.bootNumber}`);
  return devices.flatMap((device) =>
    disk.grub
      .list('/loader/entries', device)
      .filter((name) => name.endsWith('.conf'))
      .map((name) => {
        const path = `/loader/entries/${name}`;
        const entry = parseLoaderEntry(name, disk.grub.readText(path, device) ?? '');
        return { ...entry, device, configPath: device === espDevice(disk) ? `esp:${path}` : `/boot${path}` };
      })
      .filter(({ kernel }) => kernel !== null),
  );
}

function toBootEntry(disk: InstalledDisk, entry: PlacedEntry): BootEntry {
  const find = (path: string): FoundFile => {
    const found = disk.grub.find(path, entry.device);
    if (found !== null) return found;
    throw new ProvisionError('boot_path_invalid', `${entry.configPath} loads ${path}, which does not exist`, {
      facts: { config: entry.configPath, file: path },
    });
  };
  return {
    loader: 'systemd-boot',
    configPath: entry.configPath,
    title: entry.title,
    kernel: find(entry.kernel ?? ''),
    initrds: entry.initrds.map(find),
    commandLine: entry.options,
    isLocked: false,
  };
}

function unifiedImages(disk: InstalledDisk): string[] {
  return disk.espPaths
    .filter((path) => /^\/EFI\/Linux\/[^/]+\.efi$/i.test(path))
    .sort()
    .reverse();
}

function unified(path: string, bytes: Buffer, pe: PeFile | null): BootEntry {
  const section = pe?.sections.find(({ name }) => name === '.cmdline');
  const text = section && bytes.toString('utf8', section.offsetBytes, section.offsetBytes + section.sizeBytes);
  return {
    loader: 'unified kernel image',
    configPath: `esp:${path}`,
    title: baseName(path),
    kernel: { on: 'esp', path },
    initrds: [],
    commandLine: (text ?? '').replace(/\0.*$/s, '').trim(),
    isLocked: false,
  };
}

function matchesGlob(glob: string, id: string): boolean {
  const pattern = glob
    .replace(/\.conf$/, '')
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${pattern}$`, 'i').test(id);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/\.efi$/i, '');
}
