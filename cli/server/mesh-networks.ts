import type { Command } from 'commander';
import {
  addDefaultCommand,
  type OperatorFlags,
  operatorCommand,
  operatorGroup,
  withOperator,
} from './with-operator.ts';

const load = async () => await import('../../core/operator/mesh-networks.ts');

interface AddFlags extends OperatorFlags {
  readonly default?: true;
  readonly routeReflector?: true;
}

/** `durantic server mesh-networks …` */
export function meshNetworksCommand(): Command {
  const group = operatorGroup(
    'mesh-networks',
    'list, add and remove the networks that give machines their mesh addresses',
  )
    .addCommand(addCommand())
    .addCommand(removeCommand());
  return addDefaultCommand(group, listCommand());
}

function listCommand(): Command {
  return operatorCommand('list', 'list the mesh networks').action(async (flags: OperatorFlags) => {
    await withOperator(flags, async (operator) => (await load()).listMeshNetworks(operator));
  });
}

function addCommand(): Command {
  return operatorCommand('add', 'add a mesh network')
    .argument('<name>')
    .argument('<cidr>', 'a private network such as 10.42.0.0/24; it cannot be changed later')
    .option('--default', 'new machines become members')
    .option('--route-reflector', 'for meshes of 250 machines and more')
    .action(async (name: string, cidr: string, flags: AddFlags) => {
      await withOperator(flags, async (operator) => {
        const routeReflector = flags.routeReflector === true;
        await (await load()).addMeshNetwork(operator, {
          name,
          cidr,
          isDefault: flags.default === true,
          routeReflector,
        });
      });
    });
}

function removeCommand(): Command {
  return operatorCommand('remove', 'remove a mesh network')
    .argument('<name>', 'name or UUID')
    .action(async (name: string, flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).removeMeshNetwork(operator, name));
    });
}
