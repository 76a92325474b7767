import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandResult, type RunCommandOptions, runCommand } from '../../core/base/run-command.ts';

const loader = 'usr/lib64/ld-linux-x86-64.so.2';
const libraryFolders = ['usr/lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu/systemd'];
const programFolders = ['usr/sbin', 'usr/bin'];

/**
 * Runs a program of an unpacked Debian root with that root's own loader and libraries, without chroot: the result does
 * not depend on what this machine has installed.
 * @param options `epochSec`: the time, in seconds since 1970, that the program is to take for now (SOURCE_DATE_EPOCH).
 * @throws ProvisionError `tool_missing`, `tool_failed`, `aborted`.
 */
export async function runRootTool(
  root: string,
  program: string,
  args: readonly string[],
  options: RunCommandOptions & { readonly epochSec?: number } = {},
): Promise<CommandResult> {
  const file = join(root, findProgram(root, program));
  // What is set outside must not count, and mksquashfs refuses the variable beside the times that it is told.
  const { epochSec, ...rest } = options;
  const time = epochSec === undefined ? ['-u', 'SOURCE_DATE_EPOCH'] : [`SOURCE_DATE_EPOCH=${epochSec}`];
  const command = [...time, join(root, loader), '--library-path', libraryPath(root), file, ...args];
  return await runCommand('env', command, rest);
}

/** Path of a program in the root, relative to it. @throws when no bin folder has it. */
export function findProgram(root: string, name: string): string {
  const folder = programFolders.find((candidate) => existsSync(join(root, candidate, name)));
  if (folder === undefined) throw new Error(`the Debian root ${root} has no program ${name}`);
  return join(folder, name);
}

/**
 * The libraries that the root's loader maps for an ELF file (a dynamic one: it crashes on others), as paths relative to the root. Those beside the file
 * (`$ORIGIN`) are left out.
 * @throws when one is missing in the root.
 */
export async function librariesOf(root: string, file: string): Promise<string[]> {
  const args = ['--library-path', libraryPath(root), '--list', file];
  const { stdout } = await runCommand(join(root, loader), args, { okExitCodes: [0, 1, 127] });
  return parseLoaderList(stdout, root, file);
}

/** What `ld.so --list` prints, as `librariesOf` gives it. */
export function parseLoaderList(text: string, root: string, file: string): string[] {
  const missing = /^\s*(\S+) => not found/m.exec(text)?.[1];
  if (missing !== undefined) throw new Error(`the library ${missing}, which ${file} needs, is not in the Debian root`);
  const beside = file.slice(0, file.lastIndexOf('/') + 1);
  const libraries: string[] = [];
  for (const [, path = ''] of text.matchAll(/^\s+(?:\S+ => )?(\/\S+) \(0x/gm)) {
    if (path.startsWith(`${root}/`)) libraries.push(path.slice(root.length + 1));
    else if (!path.startsWith(beside)) throw new Error(`${file} would load ${path}, which is not in the Debian root`);
  }
  return libraries;
}

function libraryPath(root: string): string {
  return libraryFolders.map((folder) => join(root, folder)).join(':');
}
