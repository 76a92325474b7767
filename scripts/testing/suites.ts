import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { repoDir } from '../build/paths.ts';

export interface Suite {
  readonly name: string;
  /** Files that run side by side. */
  readonly concurrency: number;
  readonly testTimeoutMs: number;
  /** The whole suite is stopped after this. */
  readonly deadlineMs: number;
  /** The suite runs the built binary. */
  readonly usesBinary: boolean;
}

const minuteMs = 60_000;

const knownSuites: readonly Suite[] = [
  { name: 'unit', concurrency: 2, testTimeoutMs: minuteMs, deadlineMs: 3 * minuteMs, usesBinary: false },
  { name: 'net', concurrency: 2, testTimeoutMs: 4 * minuteMs, deadlineMs: 16 * minuteMs, usesBinary: true },
  { name: 'disk', concurrency: 2, testTimeoutMs: 8 * minuteMs, deadlineMs: 24 * minuteMs, usesBinary: true },
  { name: 'vm', concurrency: 1, testTimeoutMs: 20 * minuteMs, deadlineMs: 50 * minuteMs, usesBinary: true },
];

/** What `./scripts/test` without arguments runs. */
export const defaultSuiteNames: readonly string[] = knownSuites.map(({ name }) => name);

/** A suite by its name: one of the known ones, or any folder of test/ that holds test files. */
export function suiteNamed(name: string): Suite {
  const byHand = { concurrency: 1, testTimeoutMs: 600 * minuteMs, deadlineMs: 1200 * minuteMs, usesBinary: true };
  return knownSuites.find((suite) => suite.name === name) ?? { name, ...byHand };
}

export interface Selection {
  readonly suite: Suite;
  /** Absolute paths. */
  readonly files: readonly string[];
  /** Only tests whose full name matches. */
  readonly pattern?: RegExp;
}

/**
 * What the arguments of `./scripts/test` mean: names of suites, row and scenario ids (`F43`, `S3`: every test whose
 * name begins with it, or with several among which it is), paths of test files or folders.
 * @throws Error for an argument that selects nothing.
 */
export function selectTests(args: readonly string[], root: string = repoDir): Selection[] {
  const testDir = join(root, 'test');
  const all = testFiles(testDir);
  const suiteOf = (file: string): string => relative(testDir, file).split('/')[0] ?? '';
  const wanted =
    args.length === 0 ? defaultSuiteNames.filter((name) => all.some((file) => suiteOf(file) === name)) : args;
  return wanted.flatMap((argument) => {
    const isId = /^[FS]\d+$/.test(argument);
    const path = join(root, argument);
    const files = all.filter((file) =>
      isId
        ? mentions(file, argument)
        : suiteOf(file) === argument ||
          file === path ||
          file.startsWith(`${path}/`) ||
          (args.length > 0 && suiteOf(file) === longPartOf(argument)),
    );
    if (files.length === 0) throw new Error(`no test is named by ${argument}`);
    // The part for CI first.
    const names = [...new Set(files.map(suiteOf))].sort((a, b) => a.length - b.length);
    return names.map((name) => ({
      suite: suiteNamed(name),
      files: files.filter((file) => suiteOf(file) === name),
      ...(isId ? { pattern: new RegExp(`^(?:[FS]\\d+ )*${argument}\\b`) } : {}),
    }));
  });
}

/** By its name a suite is whole: what is too long for CI belongs to it, too. */
function longPartOf(suite: string): string {
  return `${suite}-long`;
}

function mentions(file: string, id: string): boolean {
  return new RegExp(`['"\`](?:[FS]\\d+ )*${id}\\b`).test(readFileSync(file, 'utf8'));
}

/**
 * Recipes of `images/` that a selected file installs: those it names, and debian-12 where it takes the helper for that.
 * They are built beforehand, bases first: their time is no test's.
 */
export function imagesUsed(selections: readonly Selection[], imagesDir: string = join(repoDir, 'images')): string[] {
  const files = selections.flatMap((selection) => (selection.suite.usesBinary ? selection.files : []));
  const texts = files.map((file) => readFileSync(file, 'utf8'));
  const recipes = readdirSync(imagesDir).filter((name) => existsSync(join(imagesDir, name, 'recipe.yaml')));
  const isNamed = (text: string, name: string): boolean =>
    text.includes(`'${name}'`) || (name === 'debian-12' && /debian-image\b/.test(text));
  return recipes.filter((name) => texts.some((text) => isNamed(text, name))).sort();
}

/** Whether a selected file boots the installer, itself or by a helper of test/; it must then be built beforehand. */
export function usesInstaller({ suite, files }: Selection): boolean {
  if (!suite.usesBinary) return false;
  const seen = new Set<string>();
  const reaches = (file: string): boolean => {
    if (seen.has(file) || !existsSync(file)) return false;
    seen.add(file);
    const text = readFileSync(file, 'utf8');
    if (/installer-assets\b|run-qemu\b/.test(text)) return true;
    const helpers = [...text.matchAll(/from '(\.{1,2}\/[^']+\.ts)'/g)].map(([, path = '']) =>
      resolve(dirname(file), path),
    );
    return helpers.filter((path) => path.includes('/test/')).some(reaches);
  };
  return files.some(reaches);
}

/** Every `*.test.ts` below the folder, sorted. */
export function testFiles(folder: string): string[] {
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(folder, name))
    .sort();
}
