import { Command, Option } from 'commander';
import { parsePlatform } from './parse-platform.ts';

interface BuildFlags {
  readonly disk?: string;
  readonly makeDisk?: true;
  readonly diskLayer: 'raw' | 'tar';
  readonly root?: string;
  readonly from?: string;
  readonly layer: readonly string[];
  readonly to: string;
  readonly compress: 'zstd' | 'gzip' | 'none';
  readonly sectorSize?: '512' | '4096';
  readonly label: readonly string[];
  readonly platform: string;
  readonly plainHttp?: true;
  readonly registryCa?: string;
  readonly json?: true;
}

/** `durantic image build`: layer 0 and root file system → OCI layout or registry. */
export function imageCommand(): Command {
  return new Command('image').description('make provisionable OS images').addCommand(buildCommand());
}

function buildCommand(): Command {
  const collect = (value: string, list: readonly string[]): readonly string[] => [...list, value];
  return new Command('build')
    .description('build an image from a raw disk, a root file system and further layers')
    .addOption(new Option('--disk <file>', 'raw disk for layer 0, plain or compressed').conflicts('makeDisk'))
    .option('--make-disk', 'make layer 0: GPT, GRUB for BIOS and UEFI, a root that grows')
    .addOption(
      new Option(
        '--disk-layer <form>',
        'layer 0 as a raw blob, or as a file in a tar that container tools can build on',
      )
        .choices(['raw', 'tar'])
        .default('raw'),
    )
    .option('--root <dir|tar>', 'root file system')
    .option('--from <ref>', 'image whose layers and labels to take: registry reference or oci:DIR[:TAG]')
    .option('--layer <dir|tar>', 'one more layer on top; may be given several times', collect, [])
    .requiredOption('--to <target>', 'oci:DIR[:TAG] or docker://HOST/NAME[:TAG]')
    .addOption(new Option('--compress <codec>', 'of the layers').choices(['zstd', 'gzip', 'none']).default('zstd'))
    .addOption(new Option('--sector-size <bytes>', 'of layer 0').choices(['512', '4096']))
    .option('--label <key=value>', 'label of the image; may be given several times', collect, [])
    .option('--platform <os/arch>', 'platform of the image', 'linux/amd64')
    .option('--plain-http', 'speak HTTP without TLS to the registry')
    .option('--registry-ca <file>', 'CA certificates (PEM) to trust for the registry')
    .option('--json', 'describe the built image as one JSON document on stdout')
    .allowExcessArguments(false)
    .action(async (flags: BuildFlags) => {
      const { runImageBuild } = await import('../images/build/run-image-build.ts');
      await runImageBuild({ ...flags, platform: parsePlatform(flags.platform) });
    });
}
