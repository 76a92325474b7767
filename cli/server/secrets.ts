import type { Command } from 'commander';
import {
  addDefaultCommand,
  type OperatorFlags,
  operatorCommand,
  operatorGroup,
  withOperator,
} from './with-operator.ts';

const load = async () => await import('../../core/operator/values.ts');

/** `durantic server secrets …`: values for roles' templates that never come back. */
export function secretsCommand(): Command {
  const group = operatorGroup('secrets', 'list, set and remove the values that templates read as secrets.NAME')
    .addCommand(setCommand())
    .addCommand(removeCommand());
  return addDefaultCommand(group, listCommand());
}

function listCommand(): Command {
  return operatorCommand('list', 'list the secrets, without their values').action(async (flags: OperatorFlags) => {
    await withOperator(flags, async (operator) => (await load()).listValues(operator, 'secret'));
  });
}

function setCommand(): Command {
  return operatorCommand('set', 'make a secret, or change it; the value is never in the command line')
    .argument('<name>', 'as templates write it: secrets.NAME')
    .option('--file <file|->', 'read the value from a file, - for standard input (default: asked, else standard input)')
    .option('--description <text>', 'what it is for')
    .addHelpText('after', '\nOne line end at the end of the value is left out.')
    .action(async (name: string, flags: OperatorFlags & { file?: string; description?: string }) => {
      const { readSecret } = await import('../../core/operator/read-secret.ts');
      await withOperator(flags, async (operator) => {
        const { stdin, stderr } = process;
        const source = { file: flags.file, prompt: `value of ${name}`, stdin, stderr, signal: operator.signal };
        const value = await readSecret(source);
        await (await load()).setValue(operator, 'secret', { name, value, description: flags.description });
      });
    });
}

function removeCommand(): Command {
  return operatorCommand('remove', 'remove a secret')
    .argument('<name>', 'name or UUID')
    .action(async (name: string, flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).removeValue(operator, 'secret', name));
    });
}
