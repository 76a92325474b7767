import { ProvisionError } from '../../core/base/errors.ts';
import { EspFiles } from '../rootfs/esp-files.ts';
import { isEspText } from '../rootfs/rewrite-identifiers.ts';
import { RootFiles } from '../rootfs/root-files.ts';
import type { PartitionIdentity, RootfsContext } from '../rootfs/types.ts';
import { GrubDisk } from './grub-disk.ts';

/** The installed disk while its root is still mounted. */
export interface BootLayout {
  /** Where the root is mounted, with the boot partition on its `/boot`. */
  readonly root: string;
  /** With the identifiers that the disk has after the commit. */
  readonly partitions: readonly PartitionIdentity[];
  readonly rootNumber: number;
  /** Partition mounted on `/boot`; null when it is a folder of the root. */
  readonly bootNumber: number | null;
  readonly espNumber: number | null;
  /** Partition node of the ESP, or mtools' `FILE@@OFFSET`. */
  readonly espDevice: string | null;
}

export interface InstalledDisk {
  readonly layout: BootLayout;
  readonly files: RootFiles;
  /** Null when there is none, or none that can be read. */
  readonly esp: EspFiles | null;
  readonly grub: GrubDisk;
  /** Paths of all files on the ESP. */
  readonly espPaths: readonly string[];
}

/**
 * Reads what boot loaders would read: the list of the ESP's files and the text of its configuration.
 * @throws ProvisionError `tool_missing` of mtools.
 */
export async function openInstalledDisk(layout: BootLayout, ctx: RootfsContext): Promise<InstalledDisk> {
  const files = new RootFiles(layout.root);
  const espFiles = new Map<string, string | null>();
  const esp = await openEsp(layout.espDevice, ctx);
  for (const path of esp?.paths ?? []) {
    espFiles.set(path, esp !== null && isEspText(path) ? (await esp.files.read(path)).toString('utf8') : null);
  }
  const { partitions, rootNumber, bootNumber, espNumber } = layout;
  const grub = new GrubDisk({ files, partitions, rootNumber, bootNumber, espNumber, espFiles });
  return { layout, files, esp: esp?.files ?? null, grub, espPaths: [...espFiles.keys()] };
}

async function openEsp(
  device: string | null,
  ctx: RootfsContext,
): Promise<{ files: EspFiles; paths: string[] } | null> {
  if (device === null) return null;
  const files = new EspFiles(device, { signal: ctx.signal });
  try {
    return { files, paths: await files.list() };
  } catch (error) {
    // Whether the ESP is needed is for the caller to say; a BIOS machine never reads it.
    if (error instanceof ProvisionError && error.code === 'tool_failed') return null;
    throw error;
  }
}
