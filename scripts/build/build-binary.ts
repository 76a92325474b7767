import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import { archiveBundle, archiveName, layOutBundle, requireFloor } from './build-bundle.ts';
import { bundleInstaller } from './bundle-installer.ts';
import { bundleProgram, bundleStart } from './bundle-program.ts';
import { bundleScreens } from './bundle-screens.ts';
import { bundleServer } from './bundle-server.ts';
import { bundleWorkers } from './bundle-workers.ts';
import { glibcNeeded } from './glibc-needed.ts';
import { hashFile } from './hash-file.ts';
import { makeCodeCaches } from './make-code-cache.ts';
import { makeSea } from './make-sea.ts';
import { cacheDir, distDir, nodeBinary, repoDir } from './paths.ts';
import { type RuntimeLibrary, runtimeLibraries } from './runtime-libraries.ts';
import { sourceKey } from './source-key.ts';
import { sourceVersion } from './source-version.ts';

export interface BuildOptions {
  /** Where `durantic`, `bundle/` and the archive go; default `dist`. */
  readonly outDir?: string;
  /** Default `~/.cache/durantic`. */
  readonly cacheDir?: string;
  /** The module that becomes the program; default `cli/main.ts`. */
  readonly entry?: string;
}

export interface BuildResult {
  readonly binary: string;
  readonly bundleDir: string;
  readonly archive: string;
  /** False when everything was there already, made from the same input. */
  readonly isNew: boolean;
}

/** Of sea-config.json; see Node's documentation of single executable applications. */
interface SeaOptions {
  readonly execArgv: readonly string[];
}

const keyFile = 'build-key';

/** Builds the binary and its bundle, unless the same input was built into `outDir` before. */
export async function buildBinary(options: BuildOptions = {}): Promise<BuildResult> {
  const outDir = options.outDir ?? distDir;
  const bundleDir = join(outDir, 'bundle');
  const result = { binary: join(outDir, 'durantic'), bundleDir, archive: join(outDir, archiveName) };
  const addon = await nativeAddon();
  const [source, libraries] = await Promise.all([sourceVersion(), runtimeLibraries()]);
  const entry = options.entry ?? join(repoDir, 'cli', 'main.ts');
  const sources = sourceKey([
    source,
    libraries,
    libraries.map(({ file }) => hashFile(file)),
    entry.slice(repoDir.length),
  ]);
  if (isBuilt(outDir, { sources })) return { ...result, isNew: false };
  mkdirSync(outDir, { recursive: true });
  const workDir = mkdtempSync(join(outDir, '.build-'));
  try {
    const [program, ...parts] = await Promise.all([
      bundleStart(),
      bundleWorkers(),
      bundleServer(source, workDir),
      bundleScreens(source, workDir),
      bundleInstaller(source, workDir),
      bundleProgram(entry, source, workDir),
    ]);
    const assets: Record<string, string> = Object.assign(
      { 'durantic-native.node': addon, 'install.sh': join(repoDir, 'installer', 'install.sh') },
      ...parts,
    );
    const inputs = [...Object.values(assets), ...libraries.map(({ file }) => file)];
    const key = inputKey(program, inputs, libraries, source.epochSec);
    if (isBuilt(outDir, { bundled: key })) {
      writeFileSync(join(outDir, keyFile), keyText({ sources, bundled: key }));
      return { ...result, isNew: false };
    }

    requireFloor('durantic-native.node', await glibcNeeded(addon));
    const seaOptions = JSON.parse(readFileSync(join(repoDir, 'sea-config.json'), 'utf8')) as SeaOptions;
    const stripped = options.cacheDir ?? cacheDir;
    const all = { ...assets, ...(await makeCodeCaches(assets, seaOptions.execArgv, workDir)) };
    const binary = await makeSea({ program, assets: all, options: { ...seaOptions }, workDir, cacheDir: stripped });
    const newBundle = join(workDir, 'bundle');
    mkdirSync(newBundle);
    await layOutBundle(newBundle, binary, libraries, source);
    await archiveBundle(newBundle, workDir, source.epochSec);
    writeFileSync(join(workDir, keyFile), keyText({ sources, bundled: key }));
    putInPlace(workDir, outDir);
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
  return { ...result, isNew: true };
}

/** The addon, compiled when a source of it is newer. */
async function nativeAddon(): Promise<string> {
  const addon = join(distDir, 'assets', 'durantic-native.node');
  const script = join(repoDir, 'scripts', 'build-native');
  const sourceDir = join(repoDir, 'agent', 'native');
  const sources = readdirSync(sourceDir).filter((name) => /\.[ch]$/.test(name));
  const changedMs = Math.max(
    ...[script, ...sources.map((name) => join(sourceDir, name))].map((file) => statSync(file).mtimeMs),
  );
  if ((statSync(addon, { throwIfNoEntry: false })?.mtimeMs ?? 0) < changedMs) await runCommand(script, []);
  return addon;
}

/** Everything that decides the result's bytes. */
function inputKey(
  program: Uint8Array,
  files: readonly string[],
  libraries: readonly RuntimeLibrary[],
  epochSec: number,
): string {
  const hash = createHash('sha256').update(program);
  const builders = readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(import.meta.dirname, name));
  const all = [nodeBinary, join(repoDir, 'sea-config.json'), ...files, ...builders.sort()];
  for (const file of all) hash.update(hashFile(file));
  return hash.update(JSON.stringify([libraries, epochSec])).digest('hex');
}

/** What a result was made of: the sources as they are, and what came of them, which a comment does not change. */
interface BuildKey {
  readonly sources: string;
  readonly bundled: string;
}

function keyText({ sources, bundled }: BuildKey): string {
  return `${sources}\n${bundled}\n`;
}

/** Everything is there, made of these sources or of what they come to. */
function isBuilt(outDir: string, wanted: Partial<BuildKey>): boolean {
  const parts = ['durantic', 'bundle/durantic', 'bundle/manifest.json', archiveName, `${archiveName}.sha256`];
  if (!parts.every((part) => existsSync(join(outDir, part)))) return false;
  const keyPath = join(outDir, keyFile);
  if (!existsSync(keyPath)) return false;
  const [sources, bundled] = readFileSync(keyPath, 'utf8').split('\n');
  const isSame = (kept: string | undefined, one: string | undefined): boolean => one !== undefined && kept === one;
  return isSame(sources, wanted.sources) || isSame(bundled, wanted.bundled);
}

/** The key goes last: a build that breaks off here is made again. `durantic` is a link into the bundle's folder. */
function putInPlace(workDir: string, outDir: string): void {
  rmSync(join(outDir, keyFile), { force: true });
  const bundleDir = join(outDir, 'bundle');
  if (existsSync(bundleDir)) renameSync(bundleDir, join(workDir, 'old-bundle'));
  renameSync(join(workDir, 'bundle'), bundleDir);
  for (const name of [archiveName, `${archiveName}.sha256`]) renameSync(join(workDir, name), join(outDir, name));
  symlinkSync('bundle/durantic', join(workDir, 'link'));
  renameSync(join(workDir, 'link'), join(outDir, 'durantic'));
  renameSync(join(workDir, keyFile), join(outDir, keyFile));
}
