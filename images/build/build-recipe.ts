import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import { type BuildImageOptions, buildImage } from './build-image.ts';
import { parseBuildTarget } from './build-target.ts';
import { hashFolder } from './hash-folder.ts';
import { type Recipe, readRecipe } from './recipe.ts';
import { recipeRootfs } from './recipe-rootfs.ts';

export interface BuildRecipeOptions
  extends Pick<BuildImageOptions, 'codec' | 'diskForm' | 'plainHttp' | 'registryCaFile' | 'signal'> {
  readonly name: string;
  /** Where the recipes are. */
  readonly imagesFolder: string;
  /** Where layouts go that no `to` names: `dist/images`. */
  readonly outFolder: string;
  readonly cacheFolder: string;
  /** Another target than `oci:OUT/NAME:latest`. */
  readonly to: string | null;
  readonly sectorBytes: 512 | 4096;
  /** Take the packages of today, not the cached root file system. */
  readonly refresh: boolean;
  readonly onProgress: (message: string) => void;
}

export interface BuiltRecipe {
  readonly reference: string;
  /** False when the image was there already. */
  readonly isNew: boolean;
  /** Changes with anything that the image is made from. */
  readonly key: string;
}

const platform = { os: 'linux', architecture: 'amd64' } as const;

/**
 * Builds the image of a recipe, its base first. Nothing is done when the layout is there and its key is the same.
 * @throws ProvisionError as buildImage and makeDebianRootfs.
 */
export async function buildRecipe(options: BuildRecipeOptions): Promise<BuiltRecipe> {
  const recipe = await readRecipe(options.imagesFolder, options.name);
  const base = recipe.from === undefined ? null : await buildRecipe({ ...options, name: recipe.from, to: null });
  const rootfs = recipe.debian === undefined ? null : await recipeRootfs({ ...options, recipe: recipe.debian });
  const key = await imageKey(options, [rootfs?.key ?? '', base?.key ?? '']);
  const to = options.to ?? `oci:${join(options.outFolder, options.name)}:latest`;
  const target = parseBuildTarget(to);
  if (target.kind === 'layout' && (await hasKey(target, key))) return { reference: to, isNew: false, key };
  const work = await mkdtemp(join(tmpdir(), 'durantic-recipe-'));
  // Our own layout is made beside the old one and takes its place whole: whoever reads meanwhile loses nothing.
  const draft = options.to === null ? join(options.outFolder, `.${options.name}-${process.pid}`) : null;
  try {
    await buildImage({
      disk: base === null ? { kind: 'make' } : null,
      ...{ diskForm: options.diskForm, sectorBytes: base === null ? options.sectorBytes : null, codec: options.codec },
      ...{ plainHttp: options.plainHttp, registryCaFile: options.registryCaFile, signal: options.signal },
      root: rootfs?.file ?? null,
      from: base?.reference ?? null,
      layers: await packLayers(recipe, work, options.signal),
      to: draft === null ? to : `oci:${draft}:latest`,
      labels: { 'org.opencontainers.image.description': recipe.description, ...recipe.labels },
      platform,
      sourceDateEpoch: null,
      onProgress: options.onProgress,
    });
    if (target.kind === 'layout') {
      await writeFile(keyFile(draft === null ? target : { ...target, dir: draft }), key);
      if (draft !== null) await replaceFolder(target.dir, draft);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
    if (draft !== null) await rm(draft, { recursive: true, force: true });
  }
  return { reference: to, isNew: true, key };
}

/** Puts `draft` where `dir` is; files of the old folder that are open stay readable. */
async function replaceFolder(dir: string, draft: string): Promise<void> {
  const old = `${draft}-old`;
  if (existsSync(dir)) await rename(dir, old);
  await rename(draft, dir);
  await rm(old, { recursive: true, force: true });
}

/** A recipe's folders are from a git checkout: owners, times and umask are the checkout's, and not to be kept. */
async function packLayers(recipe: Recipe, work: string, signal: AbortSignal): Promise<string[]> {
  const files: string[] = [];
  for (const [index, folder] of recipe.layers.entries()) {
    const file = join(work, `layer-${index}.tar`);
    const owner = ['--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX', '--mtime=@1', '--sort=name'];
    await runCommand('tar', [...owner, '--format=posix', '-C', folder, '-cf', file, '.'], { signal });
    files.push(file);
  }
  return files;
}

async function imageKey(options: BuildRecipeOptions, parts: readonly string[]): Promise<string> {
  const { codec, diskForm, sectorBytes } = options;
  const tools = await runCommand('dpkg-query', ['-W', ...toolPackages], { signal: options.signal });
  return createHash('sha256')
    .update(JSON.stringify([codec, diskForm, sectorBytes, ...parts, tools.stdout]))
    .update(await hashFolder(join(options.imagesFolder, options.name)))
    .update(await hashFolder(join(options.imagesFolder, 'build')))
    .digest('hex');
}

/** Packages whose version shows in layer 0. */
const toolPackages = ['grub-pc-bin', 'grub-efi-amd64-bin', 'grub-common', 'e2fsprogs', 'dosfstools', 'mtools'];

async function hasKey(layout: { dir: string; tag: string }, key: string): Promise<boolean> {
  return existsSync(keyFile(layout)) && (await readFile(keyFile(layout), 'utf8')) === key;
}

/** What the image was made from, beside it. */
function keyFile(layout: { dir: string; tag: string }): string {
  return join(layout.dir, `.key-${layout.tag}`);
}

/**
 * Writes what a Containerfile of `FROM scratch` needs: `disk.raw.zst`, `rootfs.tar` and the recipe's Containerfile.
 */
export async function writeContext(recipe: Recipe, layout: string, folder: string, signal: AbortSignal): Promise<void> {
  await mkdir(folder, { recursive: true });
  const read = async (digest: string) => JSON.parse(await readFile(blob(layout, digest), 'utf8'));
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8'));
  const manifest = await read(index.manifests[0].digest);
  const [disk, root] = manifest.layers;
  await runCommand('cp', ['--reflink=auto', blob(layout, disk.digest), join(folder, 'disk.raw.zst')], { signal });
  await runCommand('zstd', ['-q', '-d', '-f', blob(layout, root.digest), '-o', join(folder, 'rootfs.tar')], { signal });
  await runCommand('cp', [join(recipe.folder, 'Containerfile'), folder], { signal });
}

function blob(layout: string, digest: string): string {
  return join(layout, 'blobs', 'sha256', digest.slice('sha256:'.length));
}
