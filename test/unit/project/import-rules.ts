import { importsOf, type SourceFile } from './source-files.ts';

interface Rule {
  /** The rule is for files below this folder; the longest match counts. */
  readonly folder: string;
  /** Folders of ours that they may import from, beside their own. */
  readonly mayImport: readonly string[];
  /** npm packages; undefined means every run-time dependency. */
  readonly packages?: readonly string[];
}

/** docs/architecture.md, "Folders". */
const rules: readonly Rule[] = [
  { folder: 'protocol', mayImport: [], packages: ['zod'] },
  { folder: 'core', mayImport: ['core', 'protocol'] },
  { folder: 'core/base', mayImport: [] },
  { folder: 'core/stream', mayImport: ['core/base'] },
  { folder: 'core/oci', mayImport: ['core/base', 'core/stream'] },
  { folder: 'agent', mayImport: ['agent', 'core', 'protocol'] },
  { folder: 'installer', mayImport: ['agent', 'core', 'protocol'] },
  { folder: 'control-plane', mayImport: ['core', 'protocol'] },
  { folder: 'images', mayImport: ['core', 'protocol', 'agent/disk'] },
  { folder: 'initramfs', mayImport: ['core'] },
  { folder: 'cli', mayImport: ['protocol', 'core', 'agent', 'installer', 'control-plane', 'images', 'initramfs'] },
];

/** `scripts/` and `test/` may import anything. */
const freeFolders = ['scripts', 'test'];

/** Each breach as a sentence. */
export function checkImports(files: readonly SourceFile[], dependencies: ReadonlySet<string>): string[] {
  return files
    .filter(({ path }) => !freeFolders.some((folder) => isBelow(path, folder)))
    .flatMap((file) => [...checkFile(file, dependencies), ...checkJoin(file)]);
}

function checkFile(file: SourceFile, dependencies: ReadonlySet<string>): string[] {
  const rule = ruleOf(file.path);
  if (rule === undefined) return [`${file.path} lies in a folder without a rule`];
  return importsOf(file).flatMap(({ path, packageName }) => {
    if (path !== undefined) return mayImport(rule, file.path, path) ? [] : [`${file.path} imports ${path}`];
    if (packageName === undefined) return [];
    const isAllowed = rule.packages?.includes(packageName) ?? dependencies.has(packageName);
    return isAllowed ? [] : [`${file.path} imports the package ${packageName}`];
  });
}

function mayImport(rule: Rule, from: string, to: string): boolean {
  if (isBelow(from, 'agent/disk') && isBelow(to, 'agent/layer')) return false;
  if (isBelow(from, 'agent/layer') && isBelow(to, 'agent/disk')) return false;
  return [rule.folder, ...rule.mayImport].some((folder) => isBelow(to, folder));
}

/** Only the steps of an installation join the disk and the layers. */
function checkJoin(file: SourceFile): string[] {
  if (isBelow(file.path, 'agent/provision/steps') || isBelow(file.path, 'cli')) return [];
  const paths = importsOf(file).map(({ path }) => path ?? '');
  const isJoin =
    paths.some((path) => isBelow(path, 'agent/disk')) && paths.some((path) => isBelow(path, 'agent/layer'));
  return isJoin ? [`${file.path} joins agent/disk and agent/layer`] : [];
}

function ruleOf(path: string): Rule | undefined {
  return rules.filter(({ folder }) => isBelow(path, folder)).sort((a, b) => b.folder.length - a.folder.length)[0];
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}
