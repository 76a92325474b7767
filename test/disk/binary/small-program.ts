import { threadId } from 'node:worker_threads';
import { Command } from 'commander';
import { versionCommand } from '../../../cli/version.ts';
import { assetFile } from '../../../core/base/sea-asset.ts';

/** A program that is built as durantic is, and shows what the tests of the build want to see. */
const program = new Command('small').addCommand(versionCommand());

program.command('asset <name>').action((name: string) => console.log(assetFile(name)));

program.command('load <name>').action((name: string) => {
  const module = { exports: {} };
  process.dlopen(module, assetFile(name));
  console.log(JSON.stringify({ functions: Object.keys(module.exports).sort(), threadId }));
});

export const finished = program.parseAsync();
