import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describeError } from '../../core/base/describe-error.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand, toolPath } from '../../core/base/run-command.ts';
import type { LeaveBy } from '../boot/reboot.ts';
import { detectFirmware } from '../provision/detect-firmware.ts';
import { findEsp, listEspFiles, lookForEsp, withEsp } from './esp-folder.ts';
import { networkEntry, readFirmwareBoot, setBootNext } from './firmware-entries.ts';
import { initObstacle, kexecInstallerObstacle, loadInstaller, unloadInstaller } from './kexec-installer.ts';
import type { OneShotContext, OneShotFiles, Placed } from './one-shot.ts';
import { findGrub, type GrubEsp, prepareGrubOnce } from './one-shot-grub.ts';
import { prepareUefiOnce } from './one-shot-uefi.ts';
import type { ReentryRecord } from './reentry-record.ts';

export type ReentryWay = ReentryRecord['way'];

/** Everything is in place: leaving the system in this manner starts the installer. */
export interface PreparedWay {
  readonly way: ReentryWay;
  readonly how: Extract<LeaveBy, 'reboot' | 'kexec'>;
  /** What was done, and why not what would have been better. */
  readonly said: string;
}

export interface WayContext extends Omit<OneShotContext, 'note'> {
  /** Notes on the medium what is about to be placed. */
  readonly note: (way: ReentryWay, placed: Placed) => void;
  /** MAC address of the card that the server is reached by, or null. */
  readonly mac: string | null;
}

/** The ways into the installer; injectable for tests. */
export interface Ways {
  /** Null when the installer is loaded, else why not. */
  kexec(files: OneShotFiles, context: WayContext): Promise<string | null>;
  firmware(files: OneShotFiles, context: WayContext): Promise<string>;
  grub(files: OneShotFiles, context: WayContext): Promise<string>;
  network(context: WayContext): Promise<string>;
  unload(): Promise<void>;
}

/**
 * Prepares the best way into the installer that this machine has: kexec where it is wanted and nothing speaks against
 * it, else one start by the firmware, by GRUB, or from the network. The old system stays as it is: whatever of these
 * does not come to the installer ends in it again.
 * @throws ProvisionError `installer_unreachable` saying for each way why not; `aborted`.
 */
export async function chooseWay(
  request: { readonly useKexec: boolean; readonly files: OneShotFiles },
  context: WayContext,
  ways: Ways = realWays,
): Promise<PreparedWay> {
  const { files } = request;
  const against: string[] = [];
  const because = (said: string): string => (against.length === 0 ? said : `${said}; ${against.join('; ')}`);
  if (request.useKexec) {
    const obstacle = await ways.kexec(files, context);
    if (obstacle === null) return { way: 'kexec', how: 'kexec', said: 'its kernel was loaded (kexec)' };
    against.push(`not by kexec: ${obstacle}`);
  } else against.push('kexec was not wanted');
  const rest = [
    ['firmware', async () => await ways.firmware(files, context)],
    ['grub', async () => await ways.grub(files, context)],
    ['network', async () => await ways.network(context)],
  ] as const;
  for (const [way, prepare] of rest) {
    try {
      return { way, how: 'reboot', said: because(await prepare()) };
    } catch (error) {
      if (context.signal.aborted || !isOfThisWay(error)) throw error;
      against.push(`not by ${names[way]}: ${describeError(error)}`);
    }
  }
  throw new ProvisionError(
    'installer_unreachable',
    `this system has no way into the installer, so it must be started from media or network (${against.join('; ')})`,
  );
}

const names: Readonly<Record<ReentryWay, string>> = {
  kexec: 'kexec',
  firmware: 'the firmware',
  grub: 'GRUB',
  network: 'network boot',
};

const nothing: Placed = { grubDir: null, espPartUuid: null };

const realWays: Ways = {
  kexec: async (files, { runDir, note, signal }) => {
    const { path, sizeBytes } = files.installer;
    const obstacle = kexecInstallerObstacle(sizeBytes) ?? initObstacle(await systemdVersion(signal), hasTool('kexec'));
    if (obstacle !== null) return obstacle;
    note('kexec', nothing);
    try {
      const { initrd, commandLine } = files;
      await loadInstaller({ kernel: { path, sizeBytes }, initrd, commandLine }, { runDir });
      return null;
    } catch (error) {
      if (signal.aborted || !isOfThisWay(error)) throw error;
      return describeError(error);
    }
  },
  firmware: async (files, context) => {
    if (detectFirmware() !== 'uefi') throw refused('the machine was started by BIOS');
    const note = (placed: Placed): void => context.note('firmware', placed);
    return (await prepareUefiOnce(await findEsp(context.signal), files, { ...context, note })).said;
  },
  grub: async (files, context) => {
    const isUefi = detectFirmware() === 'uefi';
    const place = await findGrub(isUefi ? 'efi' : 'pc', isUefi ? await readEsp(context) : null, context.signal);
    const note = (placed: Placed): void => context.note('grub', placed);
    return (await prepareGrubOnce(place, files, { ...context, note })).said;
  },
  network: async ({ mac, note, signal }) => {
    if (detectFirmware() !== 'uefi') {
      throw refused('a BIOS does not tell whether it starts from network, and would start the old system again');
    }
    const entry = networkEntry(await readFirmwareBoot(signal), mac);
    if (entry === null) throw refused('the firmware has no entry that starts from network');
    note('network', nothing);
    if (!(await setBootNext(entry.number, signal)))
      throw refused('the firmware does not keep what it is to start next');
    return `the firmware was told to start from network once ("${entry.label}"), where the server gives the installer`;
  },
  unload: async () => await unloadInstaller(),
};

async function systemdVersion(signal: AbortSignal): Promise<string> {
  try {
    return (await runCommand('systemctl', ['--version'], { signal, timeoutMs: 30_000 })).stdout;
  } catch (error) {
    if (signal.aborted) throw error;
    return '';
  }
}

function hasTool(name: string): boolean {
  return toolPath()
    .split(':')
    .some((dir) => existsSync(join(dir, name)));
}

async function readEsp({ runDir, signal }: WayContext): Promise<GrubEsp | null> {
  const esp = await lookForEsp(signal);
  if (esp === null) return null;
  const { device, identity } = esp.partition;
  return { identity, files: await withEsp(device, { runDir, signal }, async (folder) => listEspFiles(folder)) };
}

/** An error that says why one way fails: ours, or one of the file systems that it writes to. What else is a defect. */
function isOfThisWay(error: unknown): boolean {
  return error instanceof ProvisionError || (error instanceof Error && 'syscall' in error);
}

function refused(message: string): ProvisionError {
  return new ProvisionError('installer_unreachable', message);
}
