import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import { type DiskPlan, fixedIdentities, partitionBytes } from './disk-plan.ts';

export const espLabel = 'ESP';

/** The removable-media path (UEFI specification 2.10, section 3.5.1.1): found without any boot entry. */
export const efiLoaderPath = 'EFI/BOOT/BOOTX64.EFI';

/** mtools and mkfs.fat read the time from here, in UTC; FAT knows none before 1980. */
const toolEnvironment = { SOURCE_DATE_EPOCH: '315532800', TZ: 'UTC', MTOOLS_SKIP_CHECK: '1' };

/**
 * Makes the FAT32 file system of the EFI system partition inside the disk file and puts the loader into it, without
 * mounting it. The file must be sparse and zero there.
 * @throws ProvisionError `tool_missing`, `tool_failed`.
 */
export async function makeEsp(
  options: { file: string; plan: DiskPlan; loader: Buffer; workDir: string },
  signal: AbortSignal,
): Promise<void> {
  const { file, plan } = options;
  const { offset, length } = partitionBytes(plan, plan.esp);
  const run = { signal, env: toolEnvironment };
  await runCommand(
    'mkfs.fat',
    [
      ...['-F', '32', '-S', String(plan.sectorBytes), '-s', String(4096 / plan.sectorBytes), '-n', espLabel],
      // --invariant sets a volume id of its own, so -i comes after it.
      ...['--invariant', '-i', fixedIdentities.espVolumeId],
      ...['-h', String(plan.esp.firstLba), '--offset', String(plan.esp.firstLba)],
      ...[file, String(length / 1024)],
    ],
    run,
  );
  const loader = join(options.workDir, 'BOOTX64.EFI');
  await writeFile(loader, options.loader);
  const time = Number(toolEnvironment.SOURCE_DATE_EPOCH);
  await utimes(loader, time, time);
  const image = `${file}@@${offset}`;
  await runCommand('mmd', ['-i', image, '::/EFI', '::/EFI/BOOT'], run);
  await runCommand('mcopy', ['-m', '-i', image, loader, `::/${efiLoaderPath}`], run);
}
