import type { Command } from 'commander';
import {
  addDefaultCommand,
  type OperatorFlags,
  operatorCommand,
  operatorGroup,
  withOperator,
} from './with-operator.ts';

const load = async () => await import('../../core/operator/values.ts');

/** `durantic server variables …`: values for roles' templates. */
export function variablesCommand(): Command {
  const group = operatorGroup('variables', 'list, set and remove the values that templates read as vars.NAME')
    .addCommand(setCommand())
    .addCommand(removeCommand());
  return addDefaultCommand(group, listCommand());
}

function listCommand(): Command {
  return operatorCommand('list', 'list the variables').action(async (flags: OperatorFlags) => {
    await withOperator(flags, async (operator) => (await load()).listValues(operator, 'variable'));
  });
}

function setCommand(): Command {
  return operatorCommand('set', 'make a variable, or change it')
    .argument('<name>', 'as templates write it: vars.NAME')
    .argument('<text>', 'its value')
    .option('--description <text>', 'what it is for')
    .action(async (name: string, value: string, flags: OperatorFlags & { description?: string }) => {
      const { description } = flags;
      await withOperator(flags, async (operator) =>
        (await load()).setValue(operator, 'variable', { name, value, description }),
      );
    });
}

function removeCommand(): Command {
  return operatorCommand('remove', 'remove a variable')
    .argument('<name>', 'name or UUID')
    .action(async (name: string, flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).removeValue(operator, 'variable', name));
    });
}
