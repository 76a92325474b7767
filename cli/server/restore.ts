import { Command } from 'commander';

/** `durantic server restore FILE`: a data directory from a backup. */
export function restoreCommand(): Command {
  return new Command('restore')
    .description('make a data directory from a backup')
    .argument('<FILE>', 'what "durantic server backup" wrote')
    .requiredOption('--data-dir <DIR>', 'folder to make; it must be empty or not be there')
    .allowExcessArguments(false)
    .action(async (file: string, flags: { dataDir: string }) => {
      const { describeRestore, restoreBackup } = await import('../../control-plane/server/backup/restore-backup.ts');
      process.stdout.write(describeRestore(await restoreBackup({ dataDir: flags.dataDir, file })));
    });
}
