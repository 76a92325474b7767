import type { Command } from 'commander';
import {
  addDefaultCommand,
  type OperatorFlags,
  operatorCommand,
  operatorGroup,
  withOperator,
} from './with-operator.ts';

const load = async () => await import('../../core/operator/account.ts');

/** `durantic server account …` */
export function accountCommand(): Command {
  const group = operatorGroup('account', 'show and change what holds for the whole server').addCommand(setCommand());
  return addDefaultCommand(group, showCommand());
}

function showCommand(): Command {
  return operatorCommand('show', 'show the account').action(async (flags: OperatorFlags) => {
    await withOperator(flags, async (operator) => (await load()).showAccount(operator));
  });
}

function setCommand(): Command {
  return operatorCommand('set', 'change the account; what is not given stays as it is')
    .option('--name <text>', 'name of the account')
    .option('--default-image <name>', 'image for machines whose roles name none; "none" for no default')
    .action(async (flags: OperatorFlags & { name?: string; defaultImage?: string }) => {
      const { name, defaultImage } = flags;
      await withOperator(flags, async (operator) => (await load()).setAccount(operator, { name, defaultImage }));
    });
}
