import { ProvisionError } from '../../core/base/errors.ts';
import { EspFiles } from '../rootfs/esp-files.ts';
import { RootFiles } from '../rootfs/root-files.ts';
import type { RootfsContext } from '../rootfs/types.ts';

export interface AppendKernelArgsTarget {
  readonly root: string;
  readonly espDevice: string | null;
  /** `--append-karg`, in order. */
  readonly args: readonly string[];
}

export interface AppendKernelArgsResult {
  /** Files that were changed, `esp:/…` on the ESP. */
  readonly changed: readonly string[];
  readonly warnings: readonly string[];
}

type Edit = (text: string, args: readonly string[]) => string;

const editedFiles: readonly { readonly dir: string; readonly names: RegExp; readonly edit: Edit }[] = [
  { dir: '/boot/grub', names: /^(grub|custom)\.cfg$/, edit: editGrubConfig },
  { dir: '/boot/grub2', names: /^(grub|custom|user)\.cfg$/, edit: editGrubConfig },
  { dir: '/boot/loader/entries', names: /\.conf$/, edit: editOptionsLine },
  { dir: '/boot/extlinux', names: /^extlinux\.conf$/, edit: editAppendLine },
  { dir: '/etc/kernel', names: /^cmdline$/, edit: editCommandLine },
];

/**
 * Adds kernel parameters to every boot entry that the image has, and to what later makes new ones: grub.cfg, loader
 * entries, `/etc/kernel/cmdline`, GRUB's defaults. A parameter that is there already is not added again.
 * @throws ProvisionError `usage` for a parameter with control characters; `root_full`, `device_io`; mtools' errors.
 */
export async function appendKernelArgs(
  target: AppendKernelArgsTarget,
  ctx: RootfsContext,
): Promise<AppendKernelArgsResult> {
  for (const arg of target.args) assertKernelArg(arg);
  if (target.args.length === 0) return { changed: [], warnings: [] };
  const files = new RootFiles(target.root);
  const changed: string[] = [];
  for (const { dir, names, edit } of editedFiles) {
    for (const name of files.list(dir).filter((name) => names.test(name))) {
      const path = `${dir}/${name}`;
      const text = files.readLatin1(path);
      const result = text === null ? null : edit(text, target.args.map(toLatin1));
      if (text === null || result === null || result === text) continue;
      files.overwrite(path, Buffer.from(result, 'latin1'));
      changed.push(path);
    }
  }
  changed.push(...(await editEsp(target, ctx)));
  const bootEntries = changed.length;
  changed.push(...editGrubDefaults(files, target.args));
  const warnings =
    bootEntries === 0 ? [`no boot entry of the image could be changed: ${target.args.join(' ')} is not in effect`] : [];
  return { changed, warnings };
}

/**
 * Checks one `--append-karg`.
 * @throws ProvisionError `usage`.
 */
export function assertKernelArg(arg: string): void {
  const hasControl = [...arg].some((char) => char < ' ' || char === '\x7f');
  if (arg.trim() === '' || hasControl) {
    throw new ProvisionError('usage', `${JSON.stringify(arg)} is no kernel parameter`, { facts: { argument: arg } });
  }
}

async function editEsp(target: AppendKernelArgsTarget, ctx: RootfsContext): Promise<string[]> {
  if (target.espDevice === null) return [];
  const esp = new EspFiles(target.espDevice, { signal: ctx.signal });
  const changed: string[] = [];
  for (const path of await esp.list()) {
    const isEntry = /^\/loader\/entries\/[^/]+\.conf$/i.test(path);
    const edit = isEntry ? editOptionsLine : /\/grub\.cfg$/i.test(path) ? editGrubConfig : null;
    if (edit === null) continue;
    const text = (await esp.read(path)).toString('latin1');
    const result = edit(text, target.args.map(toLatin1));
    if (result === text) continue;
    await esp.write(path, Buffer.from(result, 'latin1'));
    changed.push(`esp:${path}`);
  }
  return changed;
}

/** `linux`, `linux16`, `linuxefi` commands; a line that goes on with `\` ends where its last line does. */
function editGrubConfig(text: string, args: readonly string[]): string {
  return text.replace(/^([ \t]*linux(?:16|efi)?[ \t]+(?:[^\n\\]|\\[^\n]|\\\n)*)/gm, (command) =>
    appendTo(command, args, quoteForGrub),
  );
}

function editOptionsLine(text: string, args: readonly string[]): string {
  if (/^[ \t]*options(?=[ \t\n])/m.test(text)) {
    let isFirst = true;
    return text.replace(/^[ \t]*options(?:[ \t][^\n]*)?$/gm, (line) => {
      const result = isFirst ? appendTo(line, args, (arg) => arg) : line;
      isFirst = false;
      return result;
    });
  }
  return /^[ \t]*linux[ \t]/m.test(text) ? `${text.replace(/\n*$/, '\n')}options ${args.join(' ')}\n` : text;
}

function editAppendLine(text: string, args: readonly string[]): string {
  return text.replace(/^[ \t]*append[ \t][^\n]*$/gim, (line) => appendTo(line, args, (arg) => arg));
}

function editCommandLine(text: string, args: readonly string[]): string {
  const [first = '', ...rest] = text.split('\n');
  return [appendTo(first, args, (arg) => arg).trimStart(), ...rest].join('\n');
}

/**
 * `/etc/default/grub` is a shell script, and Debian's grub-mkconfig sources `grub.d/*.cfg` after it, where an image may
 * set the variable anew: a file of ours that comes last adds to whatever it is by then.
 */
function editGrubDefaults(files: RootFiles, args: readonly string[]): string[] {
  const dropIns = files.list('/etc/default/grub.d').some((name) => name.endsWith('.cfg'));
  const line = `GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ${args.map(quoteForShell).join(' ')}"\n`;
  if (dropIns) {
    const path = '/etc/default/grub.d/99-durantic.cfg';
    if (files.readText(path)?.includes(line)) return [];
    files.write(path, `# Written by durantic (--append-karg).\n${line}`, 0o644);
    return [path];
  }
  const path = '/etc/default/grub';
  const text = files.readText(path);
  if (text === null || text.includes(line)) return [];
  files.overwrite(path, `${text.replace(/\n*$/, '\n')}# Written by durantic (--append-karg).\n${line}`);
  return [path];
}

function appendTo(line: string, args: readonly string[], quote: (arg: string) => string): string {
  const words = line.split(/\s+/);
  const missing = args.map(quote).filter((arg) => !words.includes(arg));
  return missing.length === 0 ? line : `${line.replace(/[ \t\r]+$/, '')} ${missing.join(' ')}`;
}

/** Single quotes keep every byte in a GRUB script; a single quote itself is written between them. */
function quoteForGrub(arg: string): string {
  return /^[\w.,:=/+@%-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`;
}

function quoteForShell(arg: string): string {
  return arg.replace(/["\\$`]/g, '\\$&');
}

function toLatin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
