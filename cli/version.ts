import { Command } from 'commander';
import { buildInfo } from '../core/base/build-info.ts';

/** `durantic version`: what this binary is. */
export function versionCommand(): Command {
  return new Command('version')
    .description('print version, commit, Node and architecture')
    .option('--json', 'one JSON object on stdout')
    .allowExcessArguments(false)
    .action((flags: { json?: true }) => {
      const facts = { ...buildInfo(), node: process.versions.node, architecture: process.arch };
      process.stdout.write(`${flags.json ? JSON.stringify(facts) : asText(facts)}\n`);
    });
}

function asText(facts: { version: string; commit: string; node: string; architecture: string }): string {
  return `durantic ${facts.version} (commit ${facts.commit}, Node ${facts.node}, ${facts.architecture})`;
}
