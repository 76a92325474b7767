import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type BuildContext, type KernelTree, openKernelTree } from './build-kernel.ts';
import { hashLargeFile } from './fetch-kernel-source.ts';
import { removeIntermediates } from './remove-intermediates.ts';
import { runMake } from './run-make.ts';

export interface LinkedKernel {
  readonly file: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Of the link alone, 0 when the last result was taken. */
  readonly linkSeconds: number;
  readonly isNew: boolean;
}

interface LastLink {
  readonly initramfsSha256: string;
  readonly vmlinuzSha256: string;
}

/**
 * The kernel with the given archive (`.cpio.zst`) built in, written to `out`. Compiles the kernel when the cache does
 * not hold it; otherwise only links (about 25 s), or takes the last result when archive and configuration are its own.
 * The same archive gives the same bytes. Two runs wait for each other.
 * @throws Error when the archive is not zstd, or make fails.
 */
export async function linkKernel(
  options: BuildContext & { readonly initramfs: string; readonly out: string },
): Promise<LinkedKernel> {
  const { initramfs, out, signal } = options;
  // Anything else would be built in silently and be found by the booting machine only.
  if (!isZstd(initramfs)) throw new Error(`${initramfs} is no zstd file, which the kernel is built to unpack`);
  const { tree, lock } = await openKernelTree(options);
  await using _ = lock;
  const initramfsSha256 = await hashLargeFile(initramfs, signal);
  const image = join(tree.objectFolder, 'arch/x86/boot/bzImage');
  const startedMs = performance.now();
  const isNew = readLastLink(tree)?.initramfsSha256 !== initramfsSha256 || !existsSync(image);
  if (isNew) {
    rmSync(lastLinkFile(tree), { force: true });
    copyFileSync(initramfs, tree.initramfsFile);
    await runMake({ ...tree, targets: ['bzImage'], logFile: join(tree.objectFolder, 'link.log'), signal });
    removeIntermediates(tree.objectFolder);
    const record: LastLink = { initramfsSha256, vmlinuzSha256: await hashLargeFile(image, signal) };
    writeFileSync(lastLinkFile(tree), `${JSON.stringify(record)}\n`);
  }
  const linkSeconds = isNew ? (performance.now() - startedMs) / 1000 : 0;
  mkdirSync(dirname(out), { recursive: true });
  copyFileSync(image, `${out}.tmp`);
  const sha256 = await hashLargeFile(`${out}.tmp`, signal);
  if (sha256 !== readLastLink(tree)?.vmlinuzSha256) {
    rmSync(lastLinkFile(tree), { force: true });
    throw new Error(`${image} has changed since it was linked; start again`);
  }
  renameSync(`${out}.tmp`, out);
  return { file: out, sha256, sizeBytes: statSync(out).size, linkSeconds, isNew };
}

function lastLinkFile(tree: KernelTree): string {
  return join(tree.objectFolder, 'durantic-last-link.json');
}

function readLastLink(tree: KernelTree): LastLink | undefined {
  const file = lastLinkFile(tree);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as LastLink) : undefined;
}

function isZstd(file: string): boolean {
  const fd = openSync(file, 'r');
  try {
    const head = Buffer.alloc(4);
    return readSync(fd, head, 0, 4, 0) === 4 && head.readUInt32LE(0) === 0xfd2fb528;
  } finally {
    closeSync(fd);
  }
}
