import { Command } from 'commander';

/** `durantic server backup FILE`: also while the server runs. */
export function backupCommand(): Command {
  return new Command('backup')
    .description('write database, keys and certificates into one file; the server may go on running')
    .argument('<FILE>', 'tar to write; it must not be there yet')
    .requiredOption('--data-dir <DIR>', "the server's data directory")
    .allowExcessArguments(false)
    .action(async (file: string, flags: { dataDir: string }) => {
      const { describeBackup, writeBackup } = await import('../../control-plane/server/backup/write-backup.ts');
      process.stdout.write(describeBackup(await writeBackup({ dataDir: flags.dataDir, file })));
    });
}
