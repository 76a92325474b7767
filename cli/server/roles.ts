import type { Command } from 'commander';
import { append, machineHelp, wholeNumber } from './arguments.ts';
import {
  addDefaultCommand,
  type OperatorFlags,
  operatorCommand,
  operatorGroup,
  withOperator,
} from './with-operator.ts';

const load = async () => await import('../../core/operator/roles.ts');

interface ApplyFlags extends OperatorFlags {
  readonly name: string;
  readonly priority?: number;
  readonly image?: string;
  readonly description?: string;
  readonly requiresMesh?: boolean;
}

interface PreviewFlags extends OperatorFlags {
  readonly role?: readonly string[];
  readonly draft?: string;
  readonly name?: string;
  readonly priority?: number;
}

/** `durantic server roles …` */
export function rolesCommand(): Command {
  const group = operatorGroup('roles', 'list, show, apply, preview and remove the roles of machines')
    .addCommand(showCommand())
    .addCommand(applyCommand())
    .addCommand(previewCommand())
    .addCommand(removeCommand());
  return addDefaultCommand(group, listCommand());
}

function listCommand(): Command {
  return operatorCommand('list', 'list the roles').action(async (flags: OperatorFlags) => {
    await withOperator(flags, async (operator) => (await load()).listRoles(operator));
  });
}

function showCommand(): Command {
  return operatorCommand('show', 'print the template of a role')
    .argument('<role>', 'name or UUID')
    .action(async (role: string, flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).showRole(operator, role));
    });
}

function applyCommand(): Command {
  return operatorCommand('apply', 'make a role from a template, or change it; what is not given stays as it is')
    .argument('<file|->', 'the template: Jinja that renders to cloud-config; - for standard input')
    .requiredOption('--name <name>', 'name of the role')
    .option('--priority <number>', 'roles are merged from low to high; the higher one wins (default: 100)', wholeNumber)
    .option('--image <name>', 'image of machines with this role; "none" for none')
    .option('--description <text>')
    .option('--requires-mesh', 'machines with this role must be in a mesh network')
    .option('--no-requires-mesh', 'they need not be')
    .action(async (file: string, flags: ApplyFlags) => {
      const { readText } = await import('../../core/operator/read-text.ts');
      const { name, priority, image, description, requiresMesh } = flags;
      const template = await readText(file, process.stdin);
      const wanted = { name, template, priority, image, description, requiresMesh };
      await withOperator(flags, async (operator) => (await load()).applyRole(operator, wanted));
    });
}

function previewCommand(): Command {
  return operatorCommand('preview', "print the user data that a machine's roles render to; secrets are not in it")
    .argument('<machine>', machineHelp)
    .option('--role <name>', 'in place of its roles, in this order; may be given several times', append)
    .option('--draft <file|->', 'a template that is not saved yet, beside the others; needs --name')
    .option('--name <name>', 'role that the draft stands for, which may exist')
    .option('--priority <number>', 'priority of the draft (default: 100)', wholeNumber)
    .action(async (machine: string, flags: PreviewFlags, command: Command) => {
      const { draft: file, name, priority } = flags;
      if (file !== undefined && name === undefined) command.error('--draft needs --name');
      const { readText } = await import('../../core/operator/read-text.ts');
      const draft =
        file === undefined || name === undefined
          ? null
          : { name, priority, template: await readText(file, process.stdin) };
      await withOperator(flags, async (operator) =>
        (await load()).previewRoles(operator, machine, { roles: flags.role, draft }),
      );
    });
}

function removeCommand(): Command {
  return operatorCommand('remove', 'remove a role, also from the machines that have it')
    .argument('<role>', 'name or UUID')
    .action(async (role: string, flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).removeRole(operator, role));
    });
}
