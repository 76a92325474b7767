import type { Command } from 'commander';
import {
  addDefaultCommand,
  type OperatorFlags,
  operatorCommand,
  operatorGroup,
  withOperator,
} from './with-operator.ts';

const load = async () => await import('../../core/operator/registry-credentials.ts');

interface AddFlags extends OperatorFlags {
  readonly username: string;
  readonly passwordFile?: string;
  readonly description?: string;
}

/** `durantic server registry-credentials …` */
export function registryCredentialsCommand(): Command {
  const group = operatorGroup('registry-credentials', 'list, add and remove what private registries are opened with')
    .addCommand(addCommand())
    .addCommand(removeCommand());
  return addDefaultCommand(group, listCommand());
}

function listCommand(): Command {
  return operatorCommand('list', 'list the credentials, without passwords').action(async (flags: OperatorFlags) => {
    await withOperator(flags, async (operator) => (await load()).listRegistryCredentials(operator));
  });
}

function addCommand(): Command {
  return operatorCommand('add', 'add a credential; the password is never in the command line')
    .argument('<name>')
    .argument('<registry>', 'host of the registry, such as registry.example:5000')
    .requiredOption('--username <name>', 'user name at the registry')
    .option(
      '--password-file <file|->',
      'read the password from a file, - for standard input (default: DURANTIC_REGISTRY_PASSWORD, else asked)',
    )
    .option('--description <text>')
    .action(async (name: string, registry: string, flags: AddFlags) => {
      const { readSecret } = await import('../../core/operator/read-secret.ts');
      const { username, description, passwordFile } = flags;
      await withOperator(flags, async (operator) => {
        const { stdin, stderr } = process;
        const given = passwordFile === undefined ? process.env['DURANTIC_REGISTRY_PASSWORD'] : undefined;
        const source = {
          file: passwordFile,
          prompt: `password of ${username}`,
          stdin,
          stderr,
          signal: operator.signal,
        };
        const password = given ?? (await readSecret(source));
        await (await load()).addRegistryCredential(operator, { name, registry, username, password, description });
      });
    });
}

function removeCommand(): Command {
  return operatorCommand('remove', 'remove a credential')
    .argument('<name>', 'name or UUID')
    .action(async (name: string, flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).removeRegistryCredential(operator, name));
    });
}
