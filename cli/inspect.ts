import { Command } from 'commander';
import { parsePlatform } from './parse-platform.ts';

interface InspectFlags {
  readonly registryCa?: string;
  readonly plainHttp?: true;
  readonly platform: string;
  readonly json?: true;
}

/** `durantic inspect REF`: what an image is, and why it cannot be provisioned if it cannot. */
export function inspectCommand(): Command {
  return new Command('inspect')
    .description('show what an image is and whether it can be provisioned')
    .argument('<ref>', 'registry reference or oci:DIR[:TAG]')
    .option('--registry-ca <file>', 'CA certificates (PEM) to trust for the registry')
    .option('--plain-http', 'speak HTTP without TLS to the registry')
    .option('--platform <os/arch>', 'platform of the image', 'linux/amd64')
    .option('--json', 'one JSON document on stdout')
    .allowExcessArguments(false)
    .action(async (reference: string, flags: InspectFlags) => {
      const { inspectReference } = await import('../agent/provision/inspect-reference.ts');
      const report = await inspectReference(reference, {
        platform: parsePlatform(flags.platform),
        plainHttp: flags.plainHttp ?? false,
        registryCaFile: flags.registryCa ?? null,
      });
      const { describeInspection } = await import('./describe-inspection.ts');
      process.stdout.write(flags.json ? `${JSON.stringify(report.json, null, 2)}\n` : describeInspection(report));
      if (report.problem !== null) throw report.problem;
    });
}
