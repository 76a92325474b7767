import { ProvisionError } from '../../core/base/errors.ts';

/** GRUB manual, "The GRUB environment block": 1024 bytes, a first line, `name=value` lines, filled up with `#`. */
const blockBytes = 1024;
const signature = '# GRUB Environment Block\n';

/**
 * A grubenv with one variable set, or (null) without it; everything else stays.
 * @param block The present contents; null for a file that is not there.
 * @throws ProvisionError `installer_unreachable` for contents that GRUB would not take, or when they become too long.
 */
export function withGrubVariable(block: string | null, name: string, value: string | null): string {
  if (block !== null && !block.startsWith(signature)) {
    throw new ProvisionError('installer_unreachable', "GRUB's environment block (grubenv) is damaged");
  }
  const lines = (block ?? signature)
    .slice(signature.length)
    .replace(/#*$/, '')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith(`${name}=`));
  if (value !== null) lines.push(`${name}=${value}`);
  const sizeBytes = Math.max(blockBytes, block?.length ?? 0);
  const text = signature + lines.map((line) => `${line}\n`).join('');
  if (text.length <= sizeBytes) return text.padEnd(sizeBytes, '#');
  throw new ProvisionError('installer_unreachable', "GRUB's environment block (grubenv) is full");
}

/** The value of a variable; null where it is not set. */
export function grubVariable(block: string, name: string): string | null {
  const line = block.split('\n').find((one) => one.startsWith(`${name}=`));
  return line === undefined ? null : line.slice(name.length + 1);
}

const begin = '# Installer of durantic, for one start; removed by the agent.\n';
const end = '# End of the installer of durantic.\n';

/** custom.cfg with a menu entry of ours behind what it has. */
export function withInstallerEntry(text: string, entry: string): string {
  const rest = withoutInstallerEntry(text);
  const separator = rest === '' || rest.endsWith('\n') ? '' : '\n';
  return `${rest}${separator}${begin}${entry}${end}`;
}

/** custom.cfg as it was before. */
export function withoutInstallerEntry(text: string): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end, from);
  return from === -1 || to === -1 ? text : text.slice(0, from) + text.slice(to + end.length);
}

/** In single quotes every byte stays what it is (GRUB manual, "Quoting"). */
export function quoteForGrub(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
