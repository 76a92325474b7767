import { menuEntries, menuTimeoutSeconds } from './menu-entries.ts';

export interface LoaderFile {
  /** From the root of the file system that the loader comes from. */
  readonly path: string;
  readonly text: string;
}

/**
 * The files of systemd-boot's menu (loader.conf(5), and UAPI.1, "Boot Loader Specification": type #1 entries). Nothing
 * but these entries is offered, and nothing about them is kept in the firmware's variables.
 */
export function systemdBootMenu(kernelPath: string): LoaderFile[] {
  const settings = [`timeout ${menuTimeoutSeconds}`, 'default 1.conf', 'auto-entries no', 'auto-firmware yes'];
  const entries = menuEntries.map(({ title, parameters }, index) => {
    const options = parameters === '' ? [] : [`options ${parameters}`];
    const lines = [`title ${title}`, `sort-key ${index + 1}`, `linux ${kernelPath}`, ...options];
    return { path: `loader/entries/${index + 1}.conf`, text: textOf(lines) };
  });
  return [{ path: 'loader/loader.conf', text: textOf(settings) }, ...entries];
}

function textOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
