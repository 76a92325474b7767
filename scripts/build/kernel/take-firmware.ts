import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { runCommand } from '../../../core/base/run-command.ts';
import { hashFile } from '../hash-file.ts';
import type { BuildContext } from './build-kernel.ts';
import type { FirmwareChoice } from './choose-firmware.ts';
import { openTemporaryApt } from './temporary-apt.ts';

/** What was taken, from where: kept beside the files. */
export interface FirmwareReport {
  readonly suite: string;
  readonly packages: readonly { readonly name: string; readonly file: string; readonly sha256: string }[];
  readonly files: readonly TakenFile[];
  readonly absent: readonly { readonly module: string; readonly path: string; readonly reason: string }[];
  /** Of all files, compressed. */
  readonly totalBytes: number;
}

interface TakenFile {
  /** As the driver asks for it. */
  readonly path: string;
  /** Name below /lib/firmware, compressed. */
  readonly stored: string;
  readonly package: string;
  /** Of the content, hex. */
  readonly sha256: string;
  readonly storedBytes: number;
}

interface UnpackedPackage {
  readonly name: string;
  /** File name of the package, which names its version. */
  readonly file: string;
  readonly sha256: string;
  readonly tree: string;
}

export interface TakeOptions extends BuildContext {
  readonly choice: FirmwareChoice;
  readonly packages: readonly string[];
  readonly suite: string;
  /** Empty folder that gets the files. */
  readonly folder: string;
}

/**
 * Downloads the packages and stores what is taken of them.
 * @throws Error when a package cannot be had or a file is in none of them.
 */
export async function takeFirmware(options: TakeOptions): Promise<FirmwareReport> {
  const { choice, packages, suite, folder, signal, print } = options;
  const work = mkdtempSync(join(tmpdir(), 'durantic-firmware-'));
  try {
    print(`taking firmware from ${packages.length} packages of ${suite}`);
    using apt = await openTemporaryApt({ type: 'deb', suite, component: 'non-free-firmware' }, signal);
    await apt.run(['-qq', 'download', ...packages], work);
    const unpacked = await unpackAll(packages, work, signal);
    const files = [...storeFiles(choice, unpacked, folder), ...storeLicences(unpacked, folder)];
    return {
      suite,
      packages: unpacked.map(({ name, file, sha256 }) => ({ name, file, sha256 })),
      files,
      absent: choice.absent.map(({ module, path, why }) => ({ module, path, reason: why.reason })),
      totalBytes: files.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
    };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function unpackAll(names: readonly string[], work: string, signal: AbortSignal): Promise<UnpackedPackage[]> {
  const debs = readdirSync(work).filter((file) => file.endsWith('.deb'));
  const unpacked: UnpackedPackage[] = [];
  for (const name of names) {
    const file = debs.find((each) => each.startsWith(`${name}_`));
    if (file === undefined) throw new Error(`apt-get download brought no ${name}`);
    const tree = join(work, name);
    await runCommand('dpkg-deb', ['-x', join(work, file), tree], { signal });
    unpacked.push({ name, file, sha256: hashFile(join(work, file)), tree });
  }
  return unpacked;
}

/** @throws Error that names every file that no package holds. */
function storeFiles(choice: FirmwareChoice, packages: readonly UnpackedPackage[], folder: string): TakenFile[] {
  const places = ['usr/lib/firmware', 'lib/firmware', 'usr/lib/firmware/updates'];
  const notFound: string[] = [];
  const paths = [...new Set(choice.taken.map(({ path }) => path))].sort();
  const files = paths.flatMap((path): TakenFile[] => {
    for (const { name, tree } of packages) {
      const place = places.find((each) => existsSync(join(tree, each, path)));
      if (place !== undefined)
        return [store({ path, package: name, content: readFileSync(join(tree, place, path)) }, folder)];
    }
    notFound.push(`${path} (${choice.taken.find((file) => file.path === path)?.module})`);
    return [];
  });
  if (notFound.length > 0) {
    throw new Error(
      `no package holds what built-in drivers ask for; say in firmware-choice.ts what then:\n  ${notFound.join('\n  ')}`,
    );
  }
  return files;
}

/** The packages come from one source and mostly share one text. */
function storeLicences(packages: readonly UnpackedPackage[], folder: string): TakenFile[] {
  const seen = new Set<string>();
  return packages.flatMap(({ name, tree }) => {
    const content = readFileSync(join(tree, 'usr/share/doc', name, 'copyright'));
    const digest = createHash('sha256').update(content).digest('hex');
    if (seen.has(digest)) return [];
    seen.add(digest);
    return [store({ path: `copyright.${name}`, package: name, content }, folder)];
  });
}

function store(file: { path: string; package: string; content: Buffer }, folder: string): TakenFile {
  const compressed = compressForLoader(file.content);
  const stored = `${file.path}.zst`;
  mkdirSync(dirname(join(folder, stored)), { recursive: true });
  writeFileSync(join(folder, stored), compressed);
  chmodSync(join(folder, stored), 0o644);
  const sha256 = createHash('sha256').update(file.content).digest('hex');
  return { path: file.path, stored, package: file.package, sha256, storedBytes: compressed.length };
}

/**
 * One zstd frame that states its size, without which the kernel's loader refuses it (fw_decompress_zstd in
 * drivers/base/firmware_loader/main.c).
 */
export function compressForLoader(content: Buffer): Buffer {
  return zstdCompressSync(content, {
    pledgedSrcSize: content.length,
    params: { [constants.ZSTD_c_compressionLevel]: 19, [constants.ZSTD_c_contentSizeFlag]: 1 },
  });
}
