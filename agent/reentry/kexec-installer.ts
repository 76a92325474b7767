import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf, ProvisionError } from '../../core/base/errors.ts';
import { type KexecFacts, kexecObstacle, memoryBytes } from '../boot/kexec-obstacle.ts';
import { writePrivateFile } from '../identity/write-private-file.ts';
import { native } from '../native/load-native.ts';
import type { Native } from '../native/native.ts';

export interface KexecInstallerFiles {
  readonly kernel: { readonly path: string; readonly sizeBytes: number };
  /** The carried state as an initrd. */
  readonly initrd: Uint8Array;
  readonly commandLine: string;
}

export interface KexecInstallerOptions {
  /** A folder in RAM, for the initrd while it is loaded; `/run/durantic`. */
  readonly runDir: string;
  readonly facts?: KexecFacts;
  readonly call?: Pick<Native, 'kexecFileLoad'>;
}

/** MiB that the installer's kernel must have (MemTotal); the same number as in initramfs/minimum-memory.ts. */
export const installerUsableMib = 400;

/** kexec_file_load(2) */
const kexecFileFlags = { unload: 1, noInitramfs: 4 } as const;
const spareBytes = 64 * 1024 * 1024;
const realFacts: KexecFacts = { sysDir: '/sys', procDir: '/proc' };

/**
 * Why the installer cannot be entered by kexec, or null: all of `kexecObstacle`, less memory than the installer says it
 * needs, or a kernel without kexec_file_load(2).
 * @param kernelBytes Size of the installer's kernel.
 */
export function kexecInstallerObstacle(kernelBytes: number, facts: KexecFacts = realFacts): string | null {
  // Once as the file that is read, once as what is started.
  const obstacle = kexecObstacle(2 * kernelBytes + spareBytes, facts);
  if (obstacle !== null) return obstacle;
  const totalBytes = memoryBytes('MemTotal', facts);
  if (totalBytes !== null && totalBytes < installerUsableMib * 1024 * 1024) {
    const haveMib = Math.floor(totalBytes / 1024 / 1024);
    return `the machine has ${haveMib} MiB of memory, the installer needs ${installerUsableMib} MiB`;
  }
  if (!existsSync(join(facts.sysDir, 'kernel/kexec_loaded'))) return 'this kernel was built without kexec';
  return null;
}

/**
 * Loads the installer as the kernel that a `kexec` restart starts, by the system call: the program kexec need not be
 * installed. The initrd is in no file any more when this returns.
 * @throws ProvisionError `installer_unreachable` with the reason, and when the kernel does not say that it is loaded.
 */
export async function loadInstaller(files: KexecInstallerFiles, options: KexecInstallerOptions): Promise<void> {
  const { runDir, facts = realFacts, call = native } = options;
  const initrd = join(runDir, 'carried.img');
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  try {
    writePrivateFile(initrd, files.initrd);
    await using kernel = await open(files.kernel.path, 'r');
    await using state = await open(initrd, 'r');
    await call.kexecFileLoad(kernel.fd, state.fd, Buffer.from(files.commandLine, 'latin1'), 0);
  } catch (cause) {
    throw new ProvisionError('installer_unreachable', `the kernel does not take the installer${why(cause)}`, { cause });
  } finally {
    rmSync(initrd, { force: true });
  }
  if (isLoaded(facts)) return;
  throw new ProvisionError(
    'installer_unreachable',
    'the kernel took the installer, but does not say that it is loaded',
  );
}

/**
 * Why the init cannot start a loaded kernel, or null. systemd before 246 starts the program kexec for it, and restarts by
 * the firmware where that is not installed.
 * @param version What `systemctl --version` prints.
 */
export function initObstacle(version: string, hasKexecProgram: boolean): string | null {
  if (hasKexecProgram) return null;
  const number = Number(/^systemd (\d+)/.exec(version)?.[1] ?? 0);
  if (number >= 246) return null;
  const init = number === 0 ? 'the init of this system' : `systemd ${number}`;
  return `${init} needs the program kexec for it, which is not installed`;
}

/** Takes the loaded kernel out again: the next `systemctl kexec` must not start the installer. */
export async function unloadInstaller(options: Pick<KexecInstallerOptions, 'facts' | 'call'> = {}): Promise<void> {
  const { facts = realFacts, call = native } = options;
  if (!isLoaded(facts)) return;
  const { unload, noInitramfs } = kexecFileFlags;
  await call.kexecFileLoad(-1, -1, Buffer.alloc(0), unload | noInitramfs);
}

function isLoaded({ sysDir }: KexecFacts): boolean {
  try {
    return readFileSync(join(sysDir, 'kernel/kexec_loaded'), 'utf8').trim() === '1';
  } catch {
    return false;
  }
}

function why(cause: unknown): string {
  const meanings: Readonly<Record<string, string>> = {
    EKEYREJECTED: ': it wants a signature by a key that it knows',
    ENOKEY: ': it wants a signature by a key that it knows',
    EBADMSG: ': it wants a signature',
    EPERM: ': it does not allow kexec',
    ENOSYS: ': it has no kexec_file_load',
    ENOMEM: ': there is too little memory',
    EADDRNOTAVAIL: ': there is no room for it in memory',
    EBUSY: ': another kernel is being loaded',
    ENOEXEC: ': it does not know the format',
  };
  return meanings[errnoOf(cause) ?? ''] ?? '';
}
