import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import { longestCommandLine } from '../../protocol/kernel-command-line.ts';
import { assertRoom } from './assert-room.ts';
import { copyVerified } from './copy-verified.ts';
import { type Esp, withEsp } from './esp-folder.ts';
import { createOnceEntry, readFirmwareBoot, removeOnceEntries, setBootNext } from './firmware-entries.ts';
import { writeSecret } from './flushed-files.ts';
import { nothingPlaced, type OneShotContext, type OneShotFiles, type OneShotPlan, takingBack } from './one-shot.ts';

const folderName = 'durantic';
const kernelName = 'vmlinuz.efi';
const stateName = 'state.img';

/**
 * Makes the firmware start the installer at the next start, and only then: its kernel and the carried state on the EFI
 * system partition, an entry that starts the kernel's EFI stub (Documentation/admin-guide/efi-stub.rst), in no boot order, and
 * BootNext. When anything of it fails, everything is taken back.
 * @throws ProvisionError `installer_unreachable`, `space_insufficient`, `tool_missing`, `tool_failed`, `permission`.
 */
export async function prepareUefiOnce(esp: Esp, files: OneShotFiles, context: OneShotContext): Promise<OneShotPlan> {
  const { signal, runDir } = context;
  const { partition, disk } = esp;
  const { partUuid, number } = partition.identity;
  if (partUuid === '') throw refused(`${partition.device} has no identity (PARTUUID) in its partition table`);
  // The stub takes its initrd from the partition that it was loaded from.
  const options = `initrd=\\EFI\\${folderName}\\${stateName} ${files.commandLine}`;
  if (options.length > longestCommandLine) throw refused('the command line is too long for the EFI stub');
  // Before anything is placed: a firmware that cannot be asked could not be told to forget it, either.
  await readFirmwareBoot(signal);
  context.note({ ...nothingPlaced, espPartUuid: partUuid });
  try {
    await withEsp(partition.device, { runDir, signal }, async (mountPoint) => {
      const folder = join(mountPoint, 'EFI', folderName);
      rmSync(folder, { recursive: true, force: true });
      assertRoom(mountPoint, files.installer.sizeBytes + files.initrd.length, 'the installer');
      mkdirSync(folder, { recursive: true });
      await writeSecret(join(folder, stateName), files.initrd);
      await copyVerified(files.installer, join(folder, kernelName), signal);
    });
    const loader = `\\EFI\\${folderName}\\${kernelName}`;
    const entry = await createOnceEntry({ disk: disk.path, partition: number, loader, options }, signal);
    if (entry === null) throw refused('the firmware took the boot entry but does not list it');
    if (!(await setBootNext(entry, signal))) throw refused('the firmware does not keep what it is to start next');
    return { said: `the firmware was told to start it once (entry ${entry}, ${partition.device})` };
  } catch (error) {
    const cleaning = { runDir, signal: AbortSignal.timeout(60_000) };
    await takingBack(context.log, async () => await removeUefiOnce(partition.device, cleaning));
    throw error;
  }
}

/** Takes away what `prepareUefiOnce` has made, the private state first. What is not there is no error. */
export async function removeUefiOnce(
  device: string,
  options: { readonly runDir: string; readonly signal: AbortSignal },
): Promise<void> {
  await withEsp(device, options, async (mountPoint) => {
    const folder = join(mountPoint, 'EFI', folderName);
    rmSync(join(folder, stateName), { force: true });
    rmSync(folder, { recursive: true, force: true });
  });
  await removeOnceEntries(options.signal);
}

function refused(message: string): ProvisionError {
  return new ProvisionError('installer_unreachable', message);
}
