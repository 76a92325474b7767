import { type Command, Option } from 'commander';
import { type BootstrapLifetime, bootstrapLifetimes } from '../../protocol/api/bootstrap.ts';
import { type OperatorFlags, operatorCommand, operatorGroup, withOperator } from './with-operator.ts';

const load = async () => await import('../../core/operator/tokens.ts');

/** `durantic server token …`: bootstrap tokens and their keys. */
export function tokenCommand(): Command {
  return operatorGroup('token', 'make and revoke the tokens that machines enrol with')
    .addCommand(createCommand())
    .addCommand(keysCommand())
    .addCommand(rotateCommand())
    .addCommand(retireCommand())
    .addCommand(revokeBeforeCommand());
}

function createCommand(): Command {
  return operatorCommand('create', 'make a token; prints the install line and the kernel parameters')
    .addOption(
      new Option('--lifetime <time>', 'how long machines can enrol with it').choices(bootstrapLifetimes).default('10m'),
    )
    .option('--name <text>', 'kept with each machine that enrols with it (default: the name of the API token)')
    .addHelpText('after', '\nThe server keeps no record of a token: it is shown once and cannot be listed.')
    .action(async (flags: OperatorFlags & { lifetime: BootstrapLifetime; name?: string }) => {
      const { lifetime, name } = flags;
      await withOperator(flags, async (operator) => (await load()).createToken(operator, { lifetime, name }));
    });
}

function keysCommand(): Command {
  return operatorCommand('keys', 'list the keys that tokens are made with').action(async (flags: OperatorFlags) => {
    await withOperator(flags, async (operator) => (await load()).listTokenKeys(operator));
  });
}

function rotateCommand(): Command {
  return operatorCommand('rotate', 'make a new key for new tokens; tokens under the old ones stay valid').action(
    async (flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).rotateTokenKey(operator));
    },
  );
}

function retireCommand(): Command {
  return operatorCommand('retire', 'revoke every token that was made with a key')
    .argument('<kid>', 'the key, as "token keys" lists it')
    .action(async (kid: string, flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).retireTokenKey(operator, kid));
    });
}

function revokeBeforeCommand(): Command {
  return operatorCommand('revoke-before', 'revoke every token that was made before a time')
    .argument('<time>', 'now, a date such as 2026-11-20, or a time such as 2026-11-20T12:00:00Z')
    .action(async (time: string, flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).revokeTokensBefore(operator, time));
    });
}
