import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { runCommand } from '../../core/base/run-command.ts';
import { createCompressor, tarLevel } from './compressor.ts';
import { aptSourcesFor, makeDebianRootfs } from './debian-rootfs.ts';
import { hashFolder } from './hash-folder.ts';
import type { DebianRecipe } from './recipe.ts';

export interface RecipeRootfs {
  readonly file: string;
  readonly key: string;
}

/** Older root file systems that stay beside the newest. */
const keptCount = 6;

/**
 * The recipe's root file system as `rootfs.tar.zst` in the cache: built when its key (recipe, overlay, sources, tools)
 * is not there yet, or when `refresh` asks for the packages of today.
 */
export async function recipeRootfs(options: {
  readonly recipe: DebianRecipe;
  readonly cacheFolder: string;
  readonly refresh: boolean;
  readonly onProgress: (message: string) => void;
  readonly signal: AbortSignal;
}): Promise<RecipeRootfs> {
  const { recipe, cacheFolder, signal } = options;
  const key = await rootfsKey(recipe, signal);
  const file = join(cacheFolder, 'rootfs', `${recipe.suite}-${key}.tar.zst`);
  if (existsSync(file) && !options.refresh) {
    const now = new Date();
    await utimes(file, now, now);
    return { file, key: await contentKey(file, key) };
  }
  await mkdir(dirname(file), { recursive: true });
  const draft = join(dirname(file), `.draft-${randomUUID()}`);
  try {
    options.onProgress(`building the root file system of ${recipe.suite} (about 90 s)`);
    await makeDebianRootfs({
      recipe,
      file: `${draft}.tar`,
      packageCache: join(cacheFolder, 'packages', recipe.suite),
      // Later times than the build's own do not occur, so that no file's time is changed: Python compares them.
      sourceDateEpoch: Math.floor(Date.now() / 1000),
      signal,
    });
    await pipeline(
      createReadStream(`${draft}.tar`, { highWaterMark: 512 * 1024 }),
      createCompressor({ codec: 'zstd', level: tarLevel }),
      createWriteStream(`${draft}.zst`),
      { signal },
    );
    await rename(`${draft}.zst`, file);
  } finally {
    await rm(`${draft}.tar`, { force: true });
    await rm(`${draft}.zst`, { force: true });
  }
  await dropOld(dirname(file));
  return { file, key: await contentKey(file, key) };
}

async function rootfsKey(recipe: DebianRecipe, signal: AbortSignal): Promise<string> {
  const { overlay, customize, ...plain } = recipe;
  const version = (await runCommand('mmdebstrap', ['--version'], { signal })).stdout;
  const parts = [
    JSON.stringify(plain),
    version,
    await aptSourcesFor(recipe.suite, signal),
    await hashFolder(join(import.meta.dirname, 'debian-rootfs.ts')),
    overlay === undefined ? '' : await hashFolder(overlay),
    // The program and the files beside it that it installs.
    customize === undefined ? '' : await hashFolder(dirname(customize)),
  ];
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 24);
}

/** A refreshed root has the same key and other bytes. */
async function contentKey(file: string, key: string): Promise<string> {
  const { size, birthtimeMs } = await stat(file);
  return `${key}-${size}-${birthtimeMs}`;
}

async function dropOld(folder: string): Promise<void> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.tar.zst')).map((name) => join(folder, name));
  const times = await Promise.all(files.map(async (file) => ({ file, time: (await stat(file)).mtimeMs })));
  times.sort((a, b) => b.time - a.time);
  for (const { file } of times.slice(keptCount)) await rm(file, { force: true });
}
