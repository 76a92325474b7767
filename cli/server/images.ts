import type { Command } from 'commander';
import {
  addDefaultCommand,
  type OperatorFlags,
  operatorCommand,
  operatorGroup,
  withOperator,
} from './with-operator.ts';

const load = async () => await import('../../core/operator/images.ts');

interface AddFlags extends OperatorFlags {
  readonly credential?: string;
  readonly description?: string;
  readonly default?: true;
}

/** `durantic server images …` */
export function imagesCommand(): Command {
  const group = operatorGroup('images', 'list, add and remove the images that machines are installed with')
    .addCommand(addCommand())
    .addCommand(removeCommand());
  return addDefaultCommand(group, listCommand());
}

function listCommand(): Command {
  return operatorCommand('list', 'list the images').action(async (flags: OperatorFlags) => {
    await withOperator(flags, async (operator) => (await load()).listImages(operator));
  });
}

function addCommand(): Command {
  return operatorCommand('add', 'add an image')
    .argument('<name>')
    .argument('<reference>', 'as container tools write it: registry.example/linux:1.4')
    .option('--credential <name>', 'registry credential to pull it with')
    .option('--description <text>')
    .option('--default', 'install it on machines whose roles name no image')
    .action(async (name: string, reference: string, flags: AddFlags) => {
      const { credential, description } = flags;
      const wanted = { name, reference, credential, description, isDefault: flags.default === true };
      await withOperator(flags, async (operator) => (await load()).addImage(operator, wanted));
    });
}

function removeCommand(): Command {
  return operatorCommand('remove', 'remove an image from the list; the registry keeps it')
    .argument('<name>', 'name or UUID')
    .action(async (name: string, flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).removeImage(operator, name));
    });
}
