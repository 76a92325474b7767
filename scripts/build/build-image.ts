import { homedir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { describeError } from '../../core/base/describe-error.ts';
import { exitCodeOf, ProvisionError } from '../../core/base/errors.ts';
import { buildRecipe, writeContext } from '../../images/build/build-recipe.ts';
import type { LayerCodec } from '../../images/build/image-media-types.ts';
import { readRecipe } from '../../images/build/recipe.ts';

interface Flags {
  readonly to?: string;
  readonly context?: string;
  readonly compress: LayerCodec;
  readonly diskLayer: 'raw' | 'tar';
  readonly sectorSize: '512' | '4096';
  readonly refresh?: true;
  readonly plainHttp?: true;
  readonly registryCa?: string;
}

const repo = join(import.meta.dirname, '..', '..');

/** Runs `scripts/build-image`: progress on stderr, the image's reference on stdout. */
async function run(name: string, flags: Flags, signal: AbortSignal): Promise<void> {
  const options = {
    ...{ name, signal, codec: flags.compress, diskForm: flags.diskLayer, to: flags.to ?? null },
    imagesFolder: join(repo, 'images'),
    outFolder: join(repo, 'dist', 'images'),
    cacheFolder: join(homedir(), '.cache', 'durantic', 'images'),
    sectorBytes: flags.sectorSize === '4096' ? (4096 as const) : (512 as const),
    refresh: flags.refresh ?? false,
    plainHttp: flags.plainHttp ?? false,
    registryCaFile: flags.registryCa ?? null,
    onProgress: (message: string) => void process.stderr.write(`${message}\n`),
  };
  if (flags.context !== undefined) {
    if (flags.to !== undefined || flags.compress !== 'zstd' || flags.diskLayer !== 'raw') {
      throw new ProvisionError('usage', '--context goes with no other target, codec or form of layer 0');
    }
    await buildRecipe(options);
    const recipe = await readRecipe(options.imagesFolder, name);
    await writeContext(recipe, join(options.outFolder, name), flags.context, signal);
    process.stdout.write(`${flags.context}\n`);
    return;
  }
  const image = await buildRecipe(options);
  process.stdout.write(`${image.reference}${image.isNew ? '' : ' (up to date)'}\n`);
}

const controller = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => controller.abort(new ProvisionError('aborted', 'the build was interrupted')));
}

const program = new Command('build-image')
  .description('builds the OS image of images/NAME/recipe.yaml')
  .argument('<name>')
  .option('--to <target>', 'oci:DIR[:TAG] or docker://HOST/NAME[:TAG]; default oci:dist/images/NAME:latest')
  .option('--context <dir>', "write disk.raw.zst, rootfs.tar and the recipe's Containerfile, for buildah or docker")
  .addOption(new Option('--compress <codec>').choices(['zstd', 'gzip', 'none']).default('zstd'))
  .addOption(new Option('--disk-layer <form>').choices(['raw', 'tar']).default('raw'))
  .addOption(new Option('--sector-size <bytes>').choices(['512', '4096']).default('512'))
  .option('--refresh', "take today's packages, not the cached root file system")
  .option('--plain-http', 'speak HTTP without TLS to the registry')
  .option('--registry-ca <file>', 'CA certificates (PEM) to trust for the registry')
  .action((name: string, flags: Flags) => run(name, flags, controller.signal));

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`build-image: ${describeError(error)}\n`);
  if (error instanceof ProvisionError && typeof error.facts['stderr'] === 'string') {
    process.stderr.write(`${error.facts['stderr']}\n`);
  }
  process.exitCode = exitCodeOf(error);
}
