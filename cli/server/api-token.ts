import { Command } from 'commander';

interface Flags {
  readonly dataDir: string;
  readonly json?: true;
}

/** `durantic server api-token`: works on the data directory, so that a lost token can be replaced. */
export function apiTokenCommand(): Command {
  return new Command('api-token')
    .description('make, list and revoke API tokens in a data directory')
    .addCommand(createCommand())
    .addCommand(listCommand())
    .addCommand(revokeCommand());
}

function createCommand(): Command {
  return onDataDir('create', 'make a token and print it')
    .option('--name <NAME>', 'what it is for', 'command line')
    .action(async (flags: Flags & { readonly name: string }) => {
      const { createTokenOffline } = await import('../../control-plane/server/manage-api-tokens.ts');
      const created = createTokenOffline(flags.dataDir, flags.name);
      process.stdout.write(`${flags.json ? JSON.stringify(created) : created.token}\n`);
    });
}

function listCommand(): Command {
  return onDataDir('list', 'list tokens by their last characters').action(async (flags: Flags) => {
    const { describeApiTokens, listTokensOffline } = await import('../../control-plane/server/manage-api-tokens.ts');
    const tokens = listTokensOffline(flags.dataDir);
    process.stdout.write(flags.json ? `${JSON.stringify(tokens)}\n` : describeApiTokens(tokens));
  });
}

function revokeCommand(): Command {
  return onDataDir('revoke', 'make a token worthless')
    .argument('<UUID>', 'as "list" shows it')
    .action(async (uuid: string, flags: Flags) => {
      const { revokeTokenOffline } = await import('../../control-plane/server/manage-api-tokens.ts');
      revokeTokenOffline(flags.dataDir, uuid);
    });
}

function onDataDir(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .requiredOption('--data-dir <DIR>', "the server's data directory")
    .option('--json', 'JSON on stdout')
    .allowExcessArguments(false);
}
