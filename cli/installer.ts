import { Command } from 'commander';

/** `durantic installer`: what an installer medium runs; it takes its settings from kernel command line and medium. */
export function installerCommand(): Command {
  return new Command('installer')
    .description('bring the network up, enrol this machine and carry out what its server says (installer media only)')
    .allowExcessArguments(false)
    .action(async () => {
      const { assertInstallerMedium } = await import('../installer/assert-installer-medium.ts');
      assertInstallerMedium();
      const controller = new AbortController();
      process.once('SIGTERM', () => controller.abort());
      const { runInstaller } = await import('../installer/run-installer.ts');
      await runInstaller({ signal: controller.signal });
    });
}
