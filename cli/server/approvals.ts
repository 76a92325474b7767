import type { Command } from 'commander';
import { type OperatorFlags, operatorCommand, withOperator } from './with-operator.ts';

const load = async () => await import('../../core/operator/approvals.ts');

interface EntryFlags extends OperatorFlags {
  readonly yes?: true;
}

/** `durantic server approvals` */
export function approvalsCommand(): Command {
  return operatorCommand('approvals', 'list the machines that wait to be let in').action(
    async (flags: OperatorFlags) => {
      await withOperator(flags, async (operator) => (await load()).listApprovals(operator));
    },
  );
}

/** `durantic server approve CODE` */
export function approveCommand(): Command {
  return operatorCommand('approve', 'let the machine in that shows a code, after showing what it is')
    .argument('<code>', 'as the machine shows it, such as A3C-DEF')
    .option('--yes', 'do not ask')
    .action(async (code: string, flags: EntryFlags) => {
      const entry = { code, yes: flags.yes === true };
      await withOperator(flags, async (operator) => (await load()).approve(operator, entry));
    });
}

/** `durantic server deny CODE` */
export function denyCommand(): Command {
  return operatorCommand('deny', 'turn the machine away that shows a code')
    .argument('<code>', 'as the machine shows it, such as A3C-DEF')
    .option('--yes', 'do not ask')
    .action(async (code: string, flags: EntryFlags) => {
      const entry = { code, yes: flags.yes === true };
      await withOperator(flags, async (operator) => (await load()).deny(operator, entry));
    });
}
