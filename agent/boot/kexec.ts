import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand, toolPath } from '../../core/base/run-command.ts';
import { EspFiles } from '../rootfs/esp-files.ts';
import { RootFiles } from '../rootfs/root-files.ts';
import type { RootfsContext } from '../rootfs/types.ts';
import type { FoundFile } from './grub-disk.ts';
import type { BootLayout } from './installed-disk.ts';
import type { BootEntry } from './read-boot-entry.ts';

export interface KexecDecision {
  readonly useKexec: boolean;
  /** One sentence, said in the event whichever way it went. */
  readonly reason: string;
}

/** Where facts are read from; injectable for tests. */
export interface KexecFacts {
  readonly sysDir: string;
  readonly procDir: string;
}

/** Files copied out of the disk, which can be unmounted then. */
export interface KexecFiles extends Disposable {
  readonly dir: string;
  readonly kernel: string;
  readonly initrd: string | null;
  readonly commandLine: string;
}

const secureBootVariable = 'SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c';
const nvidiaVendor = '0x10de';
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
  const lockdown = /\[(\w+)\]/.exec(readOr(join(facts.sysDir, 'kernel/security/lockdown'), ''))?.[1] ?? 'none';
  if (lockdown !== 'none') return no(`the kernel is locked down (${lockdown})`);
  if (isSecureBoot(facts.sysDir)) return no('Secure Boot is on');
  if (readOr(join(facts.procDir, 'sys/kernel/kexec_load_disabled'), '0').trim() === '1') {
    return no('kexec is switched off in this kernel (kexec_load_disabled)');
  }
  if (hasNvidiaDisplay(facts.sysDir))
    return no('the machine has an NVIDIA display adapter, which does not survive kexec');
  const availableKb = /^MemAvailable:\s+(\d+) kB/m.exec(readOr(join(facts.procDir, 'meminfo'), ''))?.[1];
  const availableBytes = availableKb === undefined ? null : Number(availableKb) * 1024;
  // Once in our copy, once in the kernel's.
  const neededBytes = 2 * need.filesBytes + spareBytes;
  if (availableBytes !== null && availableBytes < neededBytes) {
    return no(`${toMib(availableBytes)} MiB of memory are available, kexec needs ${toMib(neededBytes)} MiB`);
  }
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

/** The variable's first four bytes are its attributes (efivarfs). */
export function isSecureBoot(sysDir = '/sys'): boolean {
  try {
    return readFileSync(join(sysDir, 'firmware/efi/efivars', secureBootVariable))[4] === 1;
  } catch {
    return false;
  }
}

function hasNvidiaDisplay(sysDir: string): boolean {
  const devices = join(sysDir, 'bus/pci/devices');
  return listOr(devices).some((device) => {
    const isDisplay = readOr(join(devices, device, 'class'), '').startsWith('0x03');
    return isDisplay && readOr(join(devices, device, 'vendor'), '').trim() === nvidiaVendor;
  });
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

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}

function toMib(bytes: number): number {
  return Math.floor(bytes / 1024 / 1024);
}
