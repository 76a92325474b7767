import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import type { CpioEntry } from '../../core/cpio/cpio.ts';
import { dataFiles, programs, unwantedApplets } from '../contents.ts';
import { collectFiles, fileEntry, mergedPath } from './collect-files.ts';
import { isDynamic } from './is-dynamic.ts';
import { findProgram, librariesOf } from './root-tool.ts';

const here = join(import.meta.dirname, '..');

/**
 * Everything that is in the second stage, by paths from `/` (all below `usr/`).
 * @param bundleDir What `scripts/build-binary` made.
 */
export async function secondStageFiles(root: string, bundleDir: string): Promise<CpioEntry[]> {
  const names = Object.values(programs).flat();
  const paths = [...names.map((name) => findProgram(root, name)), ...Object.values(dataFiles).flat()];
  const bundle = treeEntries(bundleDir, 'usr/lib/durantic');
  // The program runs with the root's libraries.
  const forProgram = await librariesOf(root, join(bundleDir, 'durantic'));
  const files = await collectFiles(root, [...paths, ...forProgram]);
  const applets = await appletLinks(root, new Set(files.map(({ path }) => path)));
  return [...files, ...applets, ...bundle, ...ownFiles(), ...madeFiles(root)];
}

/** Every file below a folder of this machine, at `path`. */
export function treeEntries(folder: string, path: string): CpioEntry[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => fileEntry(`${path}/${name}`, join(folder, name)));
}

function ownFiles(): CpioEntry[] {
  return [
    { path: 'usr/bin/durantic', kind: 'symlink', target: '../lib/durantic/durantic' },
    ...treeEntries(join(here, 'libexec'), 'usr/libexec/durantic'),
    fileEntry('usr/libexec/durantic/functions', join(here, 'functions')),
    // Where dhcpcd locks itself up: the home of its user in /etc/passwd.
    { path: 'usr/lib/dhcpcd', kind: 'directory' },
    // Firmware stays in the first stage, where drivers look for it before this one is mounted.
    { path: 'usr/lib/firmware', kind: 'symlink', target: '/firmware' },
  ];
}

/** A link for each applet of busybox whose program is not there for real. */
async function appletLinks(root: string, taken: ReadonlySet<string>): Promise<CpioEntry[]> {
  const { stdout } = await runCommand(join(root, findProgram(root, 'busybox')), ['--list-full']);
  const isTaken = (name: string): boolean => ['usr/bin', 'usr/sbin'].some((folder) => taken.has(`${folder}/${name}`));
  return stdout
    .trim()
    .split('\n')
    .map((path) => ({ path: mergedPath(path), name: path.slice(path.lastIndexOf('/') + 1) }))
    .filter(({ path, name }) => path.startsWith('usr/') && !isTaken(name) && !unwantedApplets.has(name))
    .map(({ path }) => ({ path, kind: 'symlink', target: path.startsWith('usr/bin/') ? 'busybox' : '../bin/busybox' }));
}

/** What a package's installation script would have made, which does not run here. */
function madeFiles(root: string): CpioEntry[] {
  return [
    {
      path: 'usr/share/ca-certificates.crt',
      kind: 'file',
      source: Buffer.from(caCertificates(join(root, 'usr/share/ca-certificates/mozilla'))),
    },
    {
      path: 'usr/lib/x86_64-linux-gnu/gconv/gconv-modules',
      kind: 'file',
      source: Buffer.from(conversions(readFileSync(join(root, conversionsFile), 'utf8'), ['IBM850'])),
    },
  ];
}

const conversionsFile = 'usr/lib/x86_64-linux-gnu/gconv/gconv-modules.d/gconv-modules-extra.conf';

/** All of Mozilla's, in the order of their file names, as update-ca-certificates(8) joins them. */
function caCertificates(folder: string): string {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.crt'))
    .sort();
  if (names.length === 0) throw new Error(`${folder} holds no certificates`);
  return names.map((name) => `${readFileSync(join(folder, name), 'utf8').trimEnd()}\n`).join('');
}

/**
 * The lines of a gconv-modules file (iconvconfig(8)) that name one of these tables.
 * @throws when one has none.
 */
export function conversions(text: string, tables: readonly string[]): string {
  const lines = tables.flatMap((table) => {
    const found = text.split('\n').filter((line) => new RegExp(`^(alias|module)\\b.*\\s${table}(//|\\s)`).test(line));
    if (found.length === 0) throw new Error(`gconv-modules has no conversion ${table}`);
    return found;
  });
  return `${lines.join('\n')}\n`;
}

/** Runs before there is a library: what the first stage is made of. */
export function staticBusybox(root: string): string {
  const file = join(root, findProgram(root, 'busybox'));
  if (isDynamic(file)) throw new Error(`${file} is not static`);
  return file;
}
