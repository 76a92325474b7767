import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { errnoOf, ProvisionError } from '../core/base/errors.ts';
import { parsePlatform } from './parse-platform.ts';

interface ProvisionFlags {
  readonly image: string;
  readonly disk: string;
  readonly checksum?: string;
  readonly userData?: string;
  readonly metaData?: string;
  readonly vendorData?: string;
  readonly networkConfig?: string;
  readonly hostname?: string;
  readonly appendKarg: string[];
  readonly registryConfig?: string;
  readonly registryCa?: string;
  readonly plainHttp?: true;
  readonly platform: string;
  readonly sectorSize: string;
  readonly injectAgent: boolean;
  readonly agentConfig?: string;
  readonly agentBundle?: string;
  readonly boot: 'none' | 'kexec' | 'reboot';
  readonly readBack?: true;
  readonly dryRun?: true;
  readonly yes?: true;
  readonly json?: true;
  readonly debug?: true;
}

/** `durantic provision`: one-shot install without a control plane. */
export function provisionCommand(): Command {
  const collect = (value: string, previous: string[]): string[] => [...previous, value];
  return new Command('provision')
    .description('install an image onto a disk')
    .requiredOption('--image <ref>', 'registry reference or oci:DIR[:TAG]')
    .requiredOption('--disk <dev>', 'block device, loop device or existing plain file')
    .option('--checksum <digest>', 'digest of a plain http(s) raw disk (not in this version)')
    .option('--user-data <file>', 'cloud-init user-data')
    .option('--meta-data <file>', 'cloud-init meta-data')
    .option('--vendor-data <file>', 'cloud-init vendor-data')
    .option('--network-config <file>', 'cloud-init network-config')
    .option('--hostname <name>', 'host name of the installed system')
    .option('--append-karg <arg>', 'kernel parameter of the installed system (repeatable)', collect, [])
    .option('--registry-config <file>', 'docker config.json (not in this version)')
    .option('--registry-ca <file>', 'CA certificates (PEM) to trust for the registry')
    .option('--plain-http', 'speak HTTP without TLS to the registry')
    .option('--platform <os/arch>', 'platform of the image', 'linux/amd64')
    .addOption(
      new Option('--sector-size <bytes>', 'logical sector size when the disk is a plain file')
        .choices(['512', '4096'])
        .default('512'),
    )
    .option('--no-inject-agent', 'leave the durantic agent out of the installed system')
    .option('--agent-config <file>', 'agent.yaml of the installed system')
    .option('--agent-bundle <path>', 'agent bundle, durantic-linux-x64.tar.gz or its unpacked folder')
    .addOption(new Option('--boot <how>', 'what to do afterwards').choices(['none', 'kexec', 'reboot']).default('none'))
    .option('--read-back', 'read everything back from the medium and compare before the disk is made bootable')
    .option('--dry-run', 'print the plan, touch nothing')
    .option('--yes', 'do not ask')
    .option('--json', 'one event per line on stdout')
    .option('--debug', 'log every detail to stderr')
    .allowExcessArguments(false)
    .action(async (flags: ProvisionFlags) => {
      const { runProvisionCli } = await import('./run-provision-cli.ts');
      await runProvisionCli(
        {
          provisionUuid: randomUUID(),
          image: flags.image,
          disk: flags.disk,
          diskWaitMs: 0,
          sectorBytes: flags.sectorSize === '4096' ? 4096 : 512,
          platform: parsePlatform(flags.platform),
          plainHttp: flags.plainHttp ?? false,
          registryCaFile: flags.registryCa ?? null,
          credentials: [],
          proxy: null,
          userData: await readDocument(flags.userData),
          metaData: await readDocument(flags.metaData),
          vendorData: await readDocument(flags.vendorData),
          networkConfig: await readDocument(flags.networkConfig),
          link: null,
          hostname: flags.hostname ?? null,
          appendKargs: flags.appendKarg,
          injectAgent: flags.injectAgent,
          agentConfig: await readDocument(flags.agentConfig),
          identity: null,
          agentBundle: flags.agentBundle ?? null,
          boot: flags.boot,
          readBack: flags.readBack ?? false,
        },
        {
          checksum: flags.checksum ?? null,
          registryConfigFile: flags.registryConfig ?? null,
          dryRun: flags.dryRun ?? false,
          yes: flags.yes ?? false,
          json: flags.json ?? false,
          debug: flags.debug ?? false,
        },
      );
    });
}

async function readDocument(file: string | undefined): Promise<string | null> {
  if (file === undefined) return null;
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new ProvisionError('usage', `the file ${file} cannot be read (${errnoOf(error) ?? 'unknown error'})`);
  }
}
