import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand, toolPath } from '../../core/base/run-command.ts';
import { EspFiles } from '../rootfs/esp-files.ts';
import { RootFiles } from '../rootfs/root-files.ts';
import type { RootfsContext } from '../rootfs/types.ts';
import type { FoundFile } from './grub-disk.ts';
import type { BootLayout } from './installed-disk.ts';
import { type KexecFacts, kexecObstacle } from './kexec-obstacle.ts';
import type { BootEntry } from './read-boot-entry.ts';

export interface KexecDecision {
  readonly useKexec: boolean;
  /** One sentence, said in the event whichever way it went. */
  readonly reason: string;
}

/** Files copied out of the disk, which can be unmounted then. */
export interface KexecFiles extends Disposable {
  readonly dir: string;
  readonly kernel: string;
  readonly initrd: string | null;
  readonly commandLine: string;
}

/** What the new kernel needs beside its own files before it frees anything. */
const spareBytes = 256 * 1024 * 1024;

/**
 * Whether kexec may be used (provisioning.md, "Boot"; failure row F55): never under lockdown or Secure Boot, with a
 * display adapter of NVIDIA (its firmware state does not survive), without memory for both systems, or for a unified
 * kernel image. The fallback is a reboot.
 */
export function decideKexec(
  need: { requested: boolean; entry: BootEntry; filesBytes: number },
  facts: KexecFacts = { sysDir: '/sys', procDir: '/proc' },
): KexecDecision {
  const no = (reason: string): KexecDecision => ({ useKexec: false, reason });
  if (!need.requested) return no('a reboot was asked for');
  if (need.entry.loader === 'unified kernel image') return no('a unified kernel image is started by the firmware only');
  // Once in our copy, once in the kernel's.
  const obstacle = kexecObstacle(2 * need.filesBytes + spareBytes, facts);
  if (obstacle !== null) return no(obstacle);
  if (!hasTool('kexec')) return no('the program kexec is not installed');
  return { useKexec: true, reason: 'kexec was asked for and nothing speaks against it' };
}

/** Size of kernel and initrds together, for `decideKexec`. */
export async function bootFilesBytes(entry: BootEntry, layout: BootLayout, ctx: RootfsContext): Promise<number> {
  let totalBytes = 0;
  for (const file of [entry.kernel, ...entry.initrds]) totalBytes += (await readBootFile(file, layout, ctx)).byteLength;
  return totalBytes;
}

/**
 * Copies kernel and initrds into a folder in RAM, before the root is unmounted. Several initrds become one file, each
 * padded to four bytes, as the kernel takes them.
 * @throws ProvisionError of mtools; `device_io`.
 */
export async function copyBootFiles(
  entry: BootEntry,
  { layout, ramDir }: { layout: BootLayout; ramDir: string },
  ctx: RootfsContext,
): Promise<KexecFiles> {
  mkdirSync(ramDir, { recursive: true, mode: 0o700 });
  const kernel = join(ramDir, 'kernel');
  const initrd = join(ramDir, 'initrd');
  writeFileSync(kernel, await readBootFile(entry.kernel, layout, ctx));
  rmSync(initrd, { force: true });
  for (const file of entry.initrds) {
    const bytes = await readBootFile(file, layout, ctx);
    appendFileSync(initrd, Buffer.concat([bytes, Buffer.alloc((4 - (bytes.byteLength % 4)) % 4)]));
  }
  return {
    dir: ramDir,
    kernel,
    initrd: entry.initrds.length > 0 ? initrd : null,
    commandLine: entry.commandLine,
    [Symbol.dispose]: () => rmSync(ramDir, { recursive: true, force: true }),
  };
}

/**
 * Loads the copied kernel with kexec_file_load(2) (`kexec -s`), which checks signatures where the kernel wants them.
 * @throws ProvisionError `tool_missing`, `tool_failed`.
 */
export async function loadKexec(files: KexecFiles, options: { signal: AbortSignal }): Promise<void> {
  const args = ['-s', '-l', files.kernel, `--command-line=${files.commandLine}`];
  if (files.initrd !== null) args.push(`--initrd=${files.initrd}`);
  await runCommand('kexec', args, { signal: options.signal, timeoutMs: 60_000 });
}

async function readBootFile(file: FoundFile, layout: BootLayout, ctx: RootfsContext): Promise<Buffer> {
  if (file.on === 'esp') return await new EspFiles(layout.espDevice ?? '', { signal: ctx.signal }).read(file.path);
  return readFileSync(new RootFiles(layout.root).hostPath(file.path, { followLast: true }));
}

function hasTool(name: string): boolean {
  return toolPath()
    .split(':')
    .some((dir) => listOr(dir).includes(name));
}

function listOr(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
