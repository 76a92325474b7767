import { EspFiles } from './esp-files.ts';
import type { IdentifierPlan } from './plan-identifiers.ts';
import { identifierRewriter, type RewriteText } from './rewrite-text.ts';
import { RootFiles } from './root-files.ts';
import type { RootfsContext } from './types.ts';

export interface RewriteTarget {
  readonly root: string;
  readonly espDevice: string | null;
  readonly plan: IdentifierPlan;
}

export interface RewriteReport {
  /** Paths whose text was changed, `esp:/…` for the EFI system partition. */
  readonly changed: readonly string[];
  readonly warnings: readonly string[];
}

/** Text files of a root filesystem that name file systems and partitions; `dir` lists all matching names in it. */
const textFiles: readonly { readonly dir: string; readonly names: RegExp }[] = [
  { dir: '/etc', names: /^(fstab|crypttab)$/ },
  { dir: '/etc/default', names: /^grub$/ },
  { dir: '/etc/default/grub.d', names: /\.cfg$/ },
  { dir: '/etc/grub.d', names: /^4\d_/ },
  { dir: '/etc/kernel', names: /^cmdline$/ },
  { dir: '/etc/kernel/cmdline.d', names: /\.conf$/ },
  { dir: '/etc/cmdline.d', names: /\.conf$/ },
  { dir: '/etc/dracut.conf.d', names: /\.conf$/ },
  { dir: '/etc/initramfs-tools/conf.d', names: /^[^.]/ },
  { dir: '/etc/systemd/system', names: /\.(mount|automount|swap)$/ },
  { dir: '/boot/grub', names: /^(grub\.cfg|custom\.cfg|menu\.lst|grubenv)$/ },
  { dir: '/boot/grub2', names: /^(grub\.cfg|custom\.cfg|user\.cfg|grubenv)$/ },
  { dir: '/boot/loader', names: /^loader\.conf$/ },
  { dir: '/boot/loader/entries', names: /\.conf$/ },
  { dir: '/boot/extlinux', names: /\.conf$/ },
  { dir: '/boot/syslinux', names: /\.cfg$/ },
];

/** What the ESP holds as text: stubs of grub.cfg, loader entries, syslinux, EFI shell scripts. */
const espText = /\.(cfg|conf|nsh)$|\/cmdline$/i;

const grubenvBytes = 1024;

/**
 * Rewrites every reference to the image's identifiers in the text files that invariant 7 lists, on the root file
 * system (with `/boot` mounted) and on the ESP. Files without a reference are not touched; owner, mode and labels
 * stay.
 * @throws ProvisionError `root_full`, `device_io`; `tool_missing`, `tool_failed` of mtools.
 */
export async function rewriteIdentifiers(target: RewriteTarget, ctx: RootfsContext): Promise<RewriteReport> {
  const rewrite = identifierRewriter(target.plan);
  const changed: string[] = [];
  const warnings: string[] = [];
  const files = new RootFiles(target.root);
  for (const { dir, names } of textFiles) {
    for (const name of files.list(dir).filter((name) => names.test(name))) {
      const path = `${dir}/${name}`;
      const text = files.readLatin1(path);
      if (text === null) continue;
      const result = name === 'grubenv' ? rewriteGrubenv(text, rewrite) : rewrite(text);
      if (result === null) warnings.push(`${path} has no room for the new identifiers and keeps the old ones`);
      if (result === null || result === text) continue;
      files.overwrite(path, Buffer.from(result, 'latin1'));
      changed.push(path);
    }
  }
  if (target.espDevice !== null) changed.push(...(await rewriteEsp(target.espDevice, rewrite, ctx)));
  for (const path of changed) ctx.log.debug({ path }, 'identifiers rewritten');
  return { changed, warnings };
}

/** A grubenv is a block of exactly 1024 bytes filled up with `#` (GRUB manual, "Environment block"); GRUB takes no other. */
function rewriteGrubenv(text: string, rewrite: RewriteText): string | null {
  const result = rewrite(text);
  if (result === text || text.length !== grubenvBytes) return result;
  const body = result.replace(/#*$/, '');
  return body.length > grubenvBytes ? null : body.padEnd(grubenvBytes, '#');
}

async function rewriteEsp(device: string, rewrite: RewriteText, ctx: RootfsContext): Promise<string[]> {
  const esp = new EspFiles(device, { signal: ctx.signal });
  const changed: string[] = [];
  for (const path of (await esp.list()).filter((path) => espText.test(path))) {
    const text = (await esp.read(path)).toString('latin1');
    const result = rewrite(text);
    if (result === text) continue;
    await esp.write(path, Buffer.from(result, 'latin1'));
    changed.push(`esp:${path}`);
  }
  return changed;
}

/** True for a file of the ESP that `rewriteIdentifiers` edits, so that nobody searches it as embedded data. */
export function isEspText(path: string): boolean {
  return espText.test(path);
}
