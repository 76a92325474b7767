import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';

export const repoDir = join(import.meta.dirname, '..', '..', '..');

/** Folders with TypeScript of ours; the first part of a path decides what it may import. */
const sourceDirs = [
  'protocol',
  'core',
  'agent',
  'installer',
  'control-plane',
  'images',
  'cli',
  'initramfs',
  'scripts',
  'test',
];

export interface SourceFile {
  /** Relative to the repository, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** Every TypeScript file of ours. */
export function sourceFiles(): SourceFile[] {
  return sourceDirs
    .filter((dir) => existsSync(join(repoDir, dir)))
    .flatMap((dir) =>
      readdirSync(join(repoDir, dir), { recursive: true, encoding: 'utf8' }).map((name) => join(dir, name)),
    )
    .filter((path) => path.endsWith('.ts') && !path.includes('node_modules/'))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(repoDir, path), 'utf8') }));
}

export interface Imported {
  /** Path in the repository for a file of ours, else undefined. */
  readonly path?: string;
  /** Name of an npm package, else undefined (also for Node's own modules). */
  readonly packageName?: string;
}

/** What a file imports, static and dynamic. */
export function importsOf(file: SourceFile): Imported[] {
  // A statement from its first word to its module name; `export … from` counts, type imports too.
  const statements =
    /^\s*(?:import|export)\b[^;'"]*?\bfrom\s*'([^']+)'|^\s*import\s*'([^']+)'|\bimport\(\s*'([^']+)'/gm;
  return [...file.text.matchAll(statements)].map((match) =>
    describe(file.path, match[1] ?? match[2] ?? match[3] ?? ''),
  );
}

function describe(from: string, specifier: string): Imported {
  if (specifier.startsWith('.')) return { path: normalize(join(from, '..', specifier)) };
  if (specifier.startsWith('node:')) return {};
  return { packageName: specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/') };
}
