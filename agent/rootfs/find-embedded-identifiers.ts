import { open } from 'node:fs/promises';
import { parsePeFile, peHeaderBytes } from '../boot/pe-file.ts';
import { EspFiles } from './esp-files.ts';
import { type EmbeddedIdentifier, identifierNeedles, type Needle } from './identifier-needles.ts';
import { IdentifierScanner } from './identifier-scanner.ts';
import { isEspText } from './rewrite-identifiers.ts';
import { RootFiles } from './root-files.ts';
import { scanArchive, scanFile } from './scan-archive.ts';
import type { PartitionIdentity, RootfsContext } from './types.ts';
import { unpackGrubCore } from './unpack-grub-core.ts';

/** A core image with all of GRUB's modules is below this. */
const largestCoreBytes = 8 * 1024 * 1024;
/** `/boot/MACHINE-ID/VERSION/initrd`. */
const deepestBootFolder = 2;

export interface SearchPlaces {
  /** The image's own identifiers, as they were before the plan. */
  readonly partitions: readonly PartitionIdentity[];
  readonly diskGuid: string;
  /** What lies before the first partition (a GRUB core in the MBR gap). */
  readonly head?: Buffer;
  /** Partition node of the BIOS boot partition. */
  readonly biosBootDevice?: string | null;
  readonly espDevice?: string | null;
  /** A mounted root filesystem, for its `/boot`. */
  readonly root?: string | null;
}

export interface FoundIdentifier extends EmbeddedIdentifier {
  /** Where it is: `BIOS boot partition`, `esp:/EFI/BOOT/BOOTX64.EFI`, `/boot/initrd.img-6.1.0`. */
  readonly file: string;
}

export interface SearchReport {
  readonly found: readonly FoundIdentifier[];
  /** One sentence each, naming file and identifier; also for files that could not be searched. */
  readonly warnings: readonly string[];
}

/**
 * Searches what is never edited (invariant 7) for identifiers of the image: the GRUB core (unpacked) in the BIOS boot
 * partition and before the first partition, every file of the ESP that is no text, and the initramfs archives in
 * `/boot`. Give only the places that are there yet; `planIdentifiers` says in which order.
 * @throws ProvisionError `tool_failed`, `tool_missing` of mtools; `aborted`. Errors of the device as they come.
 */
export async function findEmbeddedIdentifiers(places: SearchPlaces, ctx: RootfsContext): Promise<SearchReport> {
  const search = new Search(identifierNeedles(places.partitions, places.diskGuid), ctx);
  if (places.head !== undefined) search.bytes('sectors before the first partition', places.head);
  if (places.biosBootDevice) await search.grubCore(places.biosBootDevice);
  if (places.espDevice) await search.esp(places.espDevice);
  if (places.root) await search.boot(places.root);
  return search.report();
}

class Search {
  readonly #needles: readonly Needle[];
  readonly #ctx: RootfsContext;
  readonly #found: FoundIdentifier[] = [];
  readonly #warnings: string[] = [];

  constructor(needles: readonly Needle[], ctx: RootfsContext) {
    this.#needles = needles;
    this.#ctx = ctx;
  }

  bytes(file: string, ...parts: readonly Buffer[]): void {
    const scanner = new IdentifierScanner(this.#needles);
    for (const part of parts) {
      scanner.push(part);
      scanner.endStream();
    }
    this.#add(file, scanner);
  }

  async grubCore(device: string): Promise<void> {
    await using handle = await open(device, 'r');
    const buffer = Buffer.alloc(largestCoreBytes);
    const { bytesRead } = await handle.read(buffer, 0, largestCoreBytes, 0);
    const packed = buffer.subarray(0, bytesRead);
    const core = unpackGrubCore(packed);
    this.bytes('BIOS boot partition', packed, ...(core === null ? [] : [core]));
    if (core === null && packed.some((byte) => byte !== 0)) {
      this.#warnings.push('the BIOS boot partition holds no GRUB core that could be unpacked and searched');
    }
  }

  async esp(device: string): Promise<void> {
    const esp = new EspFiles(device, { signal: this.#ctx.signal });
    for (const path of (await esp.list()).filter((path) => !isEspText(path))) {
      await esp.withCopy(path, (copy) => this.#espFile(`esp:${path}`, copy));
    }
  }

  async boot(root: string): Promise<void> {
    const files = new RootFiles(root);
    for (const path of archivesBelow(files, '/boot', deepestBootFolder))
      await this.#archive(path, files.hostPath(path));
  }

  report(): SearchReport {
    const kept = this.#found.map(({ kind, value, file }) =>
      kind === 'label'
        ? `${file} looks for the label ${value}: with another disk of this image in the machine it may take that one`
        : `${file} holds ${kindNames[kind]} ${value}, which is kept: another disk of this image has the same`,
    );
    return { found: this.#found, warnings: [...kept, ...this.#warnings] };
  }

  async #espFile(file: string, copy: string): Promise<void> {
    await using handle = await open(copy, 'r');
    const buffer = Buffer.alloc(peHeaderBytes);
    const { bytesRead } = await handle.read(buffer, 0, peHeaderBytes, 0);
    const head = buffer.subarray(0, bytesRead);
    const pe = parsePeFile(head);
    const initrd = pe?.sections.find(({ name }) => name === '.initrd');
    if (pe !== null && initrd === undefined) await this.#plainFile(file, copy);
    else if (pe === null && !looksLikeArchive(file)) await this.#plainFile(file, copy);
    else if (initrd === undefined) await this.#archive(file, copy);
    else {
      await this.#plainFile(file, copy);
      const { offsetBytes, sizeBytes } = initrd;
      await this.#archive(`${file} (.initrd)`, copy, { offsetBytes, endBytes: offsetBytes + sizeBytes });
    }
  }

  async #plainFile(file: string, path: string): Promise<void> {
    const scanner = new IdentifierScanner(this.#needles);
    await scanFile(path, { scanner, signal: this.#ctx.signal });
    this.#add(file, scanner);
  }

  async #archive(file: string, path: string, range: { offsetBytes?: number; endBytes?: number } = {}): Promise<void> {
    const scanner = new IdentifierScanner(this.#needles);
    const unsearched = await scanArchive(path, { scanner, signal: this.#ctx.signal, ...range });
    this.#add(file, scanner);
    for (const format of unsearched) {
      this.#warnings.push(`${file} could not be searched for identifiers of the image (${format})`);
    }
  }

  #add(file: string, scanner: IdentifierScanner): void {
    for (const identifier of scanner.found) this.#found.push({ ...identifier, file });
  }
}

const kindNames = {
  fs_uuid: 'the filesystem UUID',
  part_uuid: 'the partition GUID',
  disk_guid: 'the disk GUID',
} as const;

/** Regular files that are named like an initramfs: in /boot itself, and in the Boot Loader Specification's folders. */
function archivesBelow(files: RootFiles, dir: string, depth: number): string[] {
  return files.list(dir).flatMap((name) => {
    const path = `${dir}/${name}`;
    const stat = files.lstat(path);
    if (stat?.isDirectory()) return depth > 0 ? archivesBelow(files, path, depth - 1) : [];
    return stat?.isFile() && looksLikeArchive(path) ? [path] : [];
  });
}

function looksLikeArchive(file: string): boolean {
  return /\/[^/]*(initrd|initramfs)[^/]*$/i.test(file);
}
