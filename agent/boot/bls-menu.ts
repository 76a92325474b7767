import type { GrubMachine, MenuEntry } from './grub-machine.ts';
import { parseGrubScript } from './grub-syntax.ts';
import { parseLoaderEntry, sortLoaderEntries } from './loader-entry.ts';

/**
 * The menu entries that `blscfg` makes of loader entries (Fedora's and RHEL's GRUB): `/loader/entries` on the partition
 * of /boot. Their options may name GRUB variables such as `$kernelopts`, so each becomes a small script.
 */
export function blsMenuEntries(machine: GrubMachine, directory: string | undefined): MenuEntry[] {
  const { disk } = machine;
  const device = `hd0,gpt${disk.bootNumber}`;
  const dir = directory ?? (disk.hasSeparateBoot ? '/loader/entries' : '/boot/loader/entries');
  const entries = disk
    .list(dir, device)
    .filter((name) => name.endsWith('.conf'))
    .map((name) => parseLoaderEntry(name, disk.readText(`${dir}/${name}`, device) ?? ''));
  return sortLoaderEntries(entries)
    .filter(({ kernel }) => kernel !== null)
    .map((entry) => ({
      isSubmenu: false,
      isRestricted: isRestricted(machine, entry.grubUsers),
      title: entry.title,
      id: entry.id,
      parameters: [entry.title],
      body: parseGrubScript(
        [
          `set root=${device}`,
          `linux ${entry.kernel ?? ''} ${entry.options}`,
          ...(entry.initrds.length > 0 ? [`initrd ${entry.initrds.join(' ')}`] : []),
        ].join('\n'),
      ),
    }));
}

/** Names who may start it. A variable that is not set names nobody, and then anyone may (blscfg.c, `expand_val`). */
function isRestricted(machine: GrubMachine, users: string | null): boolean {
  if (users === null) return false;
  const variables = [...users.matchAll(/\$(\w+)/g)].map(([, name = '']) => name);
  return variables.length === 0 || variables.some((name) => machine.env.has(name));
}
