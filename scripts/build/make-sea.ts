import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import { hashFile } from './hash-file.ts';
import { nodeBinary } from './paths.ts';

export interface SeaInput {
  /** What the binary starts with, one CommonJS script. */
  readonly program: Uint8Array;
  /** Name of each asset and the file it is taken from. */
  readonly assets: Readonly<Record<string, string>>;
  /** What `sea-config.json` in the repository's root holds: options that do not depend on this build. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Folder for intermediate files; everything in it may be deleted afterwards. */
  readonly workDir: string;
  /** Where stripped copies of Node are kept from build to build. */
  readonly cacheDir: string;
}

/**
 * A single executable: strip Node, put the program in, set the run path. In this order: patchelf before, or strip
 * after, destroys the binary. Only relative names go in, so that the result does not depend on where it was built.
 */
export async function makeSea(input: SeaInput): Promise<string> {
  const { workDir } = input;
  copyFileSync(await strippedNode(input.cacheDir), join(workDir, 'node'));
  writeFileSync(join(workDir, 'program.cjs'), input.program);
  const assets: Record<string, string> = { 'assets.json': 'assets.json' };
  const digests: Record<string, string> = {};
  for (const name of Object.keys(input.assets).sort()) {
    const file = input.assets[name] ?? '';
    copyFileSync(file, join(workDir, `asset-${name}`));
    assets[name] = `asset-${name}`;
    digests[name] = hashFile(file);
  }
  writeFileSync(join(workDir, 'assets.json'), JSON.stringify(digests));
  const config = { ...input.options, main: 'program.cjs', output: 'durantic', executable: './node', assets };
  writeFileSync(join(workDir, 'sea.json'), JSON.stringify(config));
  await runCommand(nodeBinary, ['--build-sea', 'sea.json'], { cwd: workDir });
  await runCommand('patchelf', ['--set-rpath', '$ORIGIN', 'durantic'], { cwd: workDir });
  chmodSync(join(workDir, 'durantic'), 0o755);
  return join(workDir, 'durantic');
}

/** Node without symbols, 33 MB less; kept by the digest of the Node it was made from. */
async function strippedNode(cacheDir: string): Promise<string> {
  const kept = join(cacheDir, `stripped-node-${hashFile(nodeBinary).slice(0, 32)}`);
  if (existsSync(kept)) return kept;
  mkdirSync(cacheDir, { recursive: true });
  const temporary = `${kept}.${process.pid}.tmp`;
  await runCommand('strip', ['-o', temporary, nodeBinary]);
  renameSync(temporary, kept);
  return kept;
}
