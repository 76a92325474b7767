import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { runCommand } from '../../../core/base/run-command.ts';
import { compressArchive } from '../../../initramfs/build/compress-archive.ts';
import type { DebianRoot } from '../../../initramfs/build/debian-root.ts';
import { firstStageFiles } from '../../../initramfs/build/first-stage-files.ts';
import { buildBinary } from '../build-binary.ts';
import { hashFile } from '../hash-file.ts';
import { type InstallerFirmware, installerFirmware } from '../kernel/firmware.ts';
import { holdLock } from '../kernel/hold-lock.ts';
import { linkKernel } from '../kernel/link-kernel.ts';
import { cacheDir, distDir, repoDir } from '../paths.ts';
import { installerRoot } from './installer-root.ts';
import { makeIso } from './make-iso.ts';
import { describeDifference, recordPackages } from './recorded-packages.ts';
import { secondStage } from './second-stage.ts';
import { openSigning, type Signing, signEfiProgram } from './signing.ts';

export interface BuildInstallerOptions {
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
  /** Take today's Debian packages, not those of the last build. */
  readonly refresh?: boolean;
  /** Write down the packages that are taken as those that everybody should have. */
  readonly record?: boolean;
  /** Key (PEM) and certificate that kernel and medium are signed with for Secure Boot. */
  readonly sign?: { readonly keyFile: string; readonly certificateFile: string };
}

export interface BuiltInstaller {
  /** Kernel with everything in it; also an EFI program. */
  readonly vmlinuz: string;
  readonly iso: string;
  /** False when both were there already, made from the same input. */
  readonly isNew: boolean;
}

/** The limit: firmware and boot servers with small memory must load it. */
const largestVmlinuzBytes = 80_000_000;

const keyFile = join(distDir, 'installer-key');

/**
 * Builds `dist/vmlinuz` and `dist/installer.iso` with everything they are made of, unless the same input was built
 * before. One build at a time: the caller holds a lock (scripts/build-installer).
 * @throws Error when the kernel is larger than 80 MB, ProvisionError when a program fails.
 */
export async function buildInstaller(options: BuildInstallerOptions): Promise<BuiltInstaller> {
  const { print, signal } = options;
  const result = { vmlinuz: join(distDir, 'vmlinuz'), iso: join(distDir, 'installer.iso') };
  const timed = timer(print);
  const signing = options.sign && (await openSigning({ ...options.sign, print, signal }));
  const work = mkdtempSync(join(makeFolder(distDir), '.installer-'));
  try {
    const bundleDir = join(work, 'bundle');
    await timed('binary', () => takeBundle(bundleDir));
    const root = await timed('Debian packages', () => installerRoot(options));
    if (options.record === true) recordPackages(root.packages);
    const difference = describeDifference(root.packages);
    if (difference !== null) print(difference);
    const firmware = await timed('firmware', () => installerFirmware(options));
    const key = inputKey({ root, bundleDir, firmware, signing });
    if (existsSync(result.vmlinuz) && existsSync(result.iso) && readKey() === key) return { ...result, isNew: false };

    rmSync(keyFile, { force: true });
    const archive = join(work, 'initramfs.cpio.zst');
    const draft = { vmlinuz: join(work, 'vmlinuz'), iso: join(work, 'installer.iso') };
    const stage2 = await timed('second stage', () =>
      secondStage({ root: root.dir, bundleDir, cacheDir, print, signal }),
    );
    const stage1 = { root: root.dir, squashfs: stage2.file, squashfsSha256: stage2.sha256, firmware: firmware.files };
    await timed('first stage', () => compressArchive(archive, firstStageFiles(stage1), signal));
    await timed('kernel', () => linkKernel({ initramfs: archive, out: draft.vmlinuz, print, signal }));
    if (signing !== undefined) await signInPlace(draft.vmlinuz, signing, signal);
    requireSize(draft.vmlinuz);
    const medium = { root: root.dir, vmlinuz: draft.vmlinuz, file: draft.iso, signal };
    await timed('ISO', () => makeIso({ ...medium, ...(signing === undefined ? {} : { signing }) }));
    renameSync(draft.vmlinuz, result.vmlinuz);
    renameSync(draft.iso, result.iso);
    writeFileSync(keyFile, key);
    return { ...result, isNew: true };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Builds the binary and links its bundle's files, so that another build can replace it while this one goes on. */
async function takeBundle(folder: string): Promise<void> {
  await using _ = await holdLock(join(distDir, '.build-lock'));
  const { bundleDir } = await buildBinary();
  await runCommand('cp', ['-a', '--link', bundleDir, folder]);
}

async function signInPlace(file: string, signing: Signing, signal: AbortSignal): Promise<void> {
  await signEfiProgram(file, `${file}.signed`, signing, signal);
  renameSync(`${file}.signed`, file);
}

/** Everything that decides the result's bytes, but for the time that a signature holds. */
function inputKey(input: {
  root: DebianRoot;
  bundleDir: string;
  firmware: InstallerFirmware;
  signing: Signing | undefined;
}): string {
  const folders = [
    'initramfs',
    'kernel-config',
    'scripts/build/installer',
    'scripts/build/kernel',
    'core/boot-block',
    'core/cpio',
  ];
  const sources = folders.flatMap((folder) => filesBelow(join(repoDir, folder)));
  const hash = createHash('sha256').update(input.root.packages.join('\n'));
  hash.update(JSON.stringify(input.firmware.report.files));
  hash.update(readFileSync(join(input.bundleDir, 'manifest.json')));
  for (const file of sources) {
    hash.update(`\0${relative(repoDir, file)} ${statSync(file).mode & 0o111} ${hashFile(file)}`);
  }
  if (input.signing !== undefined) hash.update(`\0${input.signing.inputs.join('\n')}`);
  return hash.digest('hex');
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((file) => statSync(file).isFile())
    .sort();
}

function makeFolder(folder: string): string {
  mkdirSync(folder, { recursive: true });
  return folder;
}

function readKey(): string | undefined {
  return existsSync(keyFile) ? readFileSync(keyFile, 'utf8') : undefined;
}

function requireSize(vmlinuz: string): void {
  const { size } = statSync(vmlinuz);
  if (size <= largestVmlinuzBytes) return;
  throw new Error(
    `the kernel with its archive has ${(size / 1e6).toFixed(1)} MB, more than the ${largestVmlinuzBytes / 1e6} MB allowed`,
  );
}

/** Says how long each part took, when that is worth a line. */
function timer(print: (line: string) => void) {
  return async <T>(name: string, run: () => Promise<T>): Promise<T> => {
    const startedMs = performance.now();
    const result = await run();
    const seconds = (performance.now() - startedMs) / 1000;
    if (seconds >= 0.5) print(`${name}: ${seconds.toFixed(1)} s`);
    return result;
  };
}
