import { mkdir, readFile } from 'node:fs/promises';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { readAptSources, sourcesList } from './apt-sources.ts';
import type { DebianRecipe } from './recipe.ts';

export interface DebianRootfsOptions {
  readonly recipe: DebianRecipe;
  /** The tar to write. */
  readonly file: string;
  /** Folder that keeps downloaded packages between builds; apt checks each against the archive's signed index. */
  readonly packageCache: string;
  /** Time stamp of what the build makes, in seconds since 1970. */
  readonly sourceDateEpoch: number;
  readonly signal: AbortSignal;
}

/**
 * Builds a Debian root file system with mmdebstrap as a tar. Needs root: device nodes, owners and file capabilities
 * are real. The mirror is the one that this machine's apt uses.
 * @throws ProvisionError `tool_missing`, `tool_failed`, `permission`, `image_build_failed`.
 */
export async function makeDebianRootfs(options: DebianRootfsOptions): Promise<void> {
  const { recipe, signal, packageCache } = options;
  if (process.geteuid?.() !== 0) {
    throw new ProvisionError('permission', 'a Debian image is built as root: mmdebstrap needs chroot and mount');
  }
  await mkdir(packageCache, { recursive: true });
  const sources = await aptSourcesFor(recipe.suite, signal);
  const env = { SOURCE_DATE_EPOCH: String(options.sourceDateEpoch), DURANTIC_CACHE: packageCache };
  await runCommand('mmdebstrap', mmdebstrapArguments(recipe, options.file), { signal, env, input: sources });
}

/**
 * The lines of a sources.list for `suite`, with the mirror that this machine's apt uses.
 * @throws ProvisionError `image_build_failed`, `tool_missing`, `tool_failed`.
 */
export async function aptSourcesFor(suite: string, signal: AbortSignal): Promise<string> {
  const codename = await hostCodename();
  return sourcesList(await readAptSources(codename, signal), { from: codename, to: suite });
}

function mmdebstrapArguments(recipe: DebianRecipe, file: string): string[] {
  const hooks = [
    '--setup-hook=mkdir -p "$1/var/cache/apt/archives" && ' +
      'find "$DURANTIC_CACHE" -name "*.deb" -exec cp --reflink=auto -t "$1/var/cache/apt/archives" {} +',
    // The cache then holds this build's packages and no older ones.
    '--customize-hook=find "$DURANTIC_CACHE" -name "*.deb" -delete && ' +
      'find "$1/var/cache/apt/archives" -name "*.deb" -exec cp --reflink=auto -t "$DURANTIC_CACHE" {} +',
  ];
  if (recipe.overlay !== undefined) {
    const tar = "tar --owner=0 --group=0 --numeric-owner '--mode=u=rwX,go=rX'";
    hooks.push(`--essential-hook=${tar} -C ${quote(recipe.overlay)} -c . | tar --no-overwrite-dir -C "$1" -x`);
  }
  if (recipe.customize !== undefined) hooks.push(`--customize-hook=${quote(recipe.customize)} "$1"`);
  return [
    ...['--quiet', '--mode=root', '--variant=minbase', '--architectures=amd64', '--format=tar'],
    `--include=${recipe.packages.join(',')}`,
    // A build that is cut off is thrown away: nothing is gained by waiting for the disk after every file.
    '--dpkgopt=force-unsafe-io',
    // Translations and documentation are a tenth of the image; licences stay.
    '--dpkgopt=path-exclude=/usr/share/locale/*',
    '--dpkgopt=path-exclude=/usr/share/doc/*',
    '--dpkgopt=path-include=/usr/share/doc/*/copyright',
    ...hooks,
    ...[recipe.suite, file, '-'],
  ];
}

async function hostCodename(): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8');
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1];
  if (codename === undefined || !/^ID=debian$/m.test(release)) {
    throw new ProvisionError(
      'image_build_failed',
      'Debian images are built on Debian: its apt sources name the mirror',
    );
  }
  return codename;
}

/** For the shell that mmdebstrap runs hooks with. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
