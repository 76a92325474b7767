import { Command } from 'commander';

interface WipeFlags {
  readonly disk: string;
  readonly yes?: true;
  readonly json?: true;
  readonly debug?: true;
}

/** `durantic wipe`: takes a disk out of use and says exactly what was done. */
export function wipeCommand(): Command {
  return new Command('wipe')
    .description('take a disk out of use: no table, no signature, nothing that is recognised (not a secure erase)')
    .requiredOption('--disk <device>', 'block device, or plain file that holds a disk')
    .option('--yes', 'do not ask')
    .option('--json', 'print the report as one JSON line on stdout')
    .option('--debug', 'log to stderr')
    .action(async (flags: WipeFlags) => {
      const { runWipeCli } = await import('./run-wipe-cli.ts');
      await runWipeCli({
        path: flags.disk,
        yes: flags.yes === true,
        json: flags.json === true,
        debug: flags.debug === true,
      });
    });
}
