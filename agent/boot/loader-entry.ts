/** A Boot Loader Specification type 1 entry (uapi-group.org, "Boot Loader Specification"). */
export interface LoaderEntry {
  /** File name without `.conf`. */
  readonly id: string;
  readonly title: string;
  readonly version: string;
  readonly sortKey: string;
  readonly kernel: string | null;
  readonly initrds: readonly string[];
  readonly options: string;
  /** Who may start it in GRUB (`grub_users` of Fedora and RHEL), or null. */
  readonly grubUsers: string | null;
  /** True when its boot counter (`+0` in the file name) says that it failed. */
  readonly isBad: boolean;
}

export function parseLoaderEntry(fileName: string, text: string): LoaderEntry {
  const base = fileName.replace(/\.conf$/, '');
  const counter = /\+(\d+)(?:-\d+)?$/.exec(base)?.[1];
  const values = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const match = /^([\w-]+)[ \t]+(.*?)[ \t\r]*$/.exec(line.trimStart());
    if (match?.[1] === undefined) continue;
    values.set(match[1], [...(values.get(match[1]) ?? []), match[2] ?? '']);
  }
  const first = (key: string): string => values.get(key)?.[0] ?? '';
  return {
    id: base.replace(/\+\d+(-\d+)?$/, ''),
    title: first('title') || base,
    version: first('version'),
    sortKey: first('sort-key'),
    kernel: values.get('linux')?.[0] ?? null,
    initrds: (values.get('initrd') ?? []).flatMap((value) => value.split(/\s+/).filter(Boolean)),
    grubUsers: values.get('grub_users')?.[0] ?? null,
    options: (values.get('options') ?? []).join(' '),
    isBad: counter !== undefined && Number(counter) === 0,
  };
}

/** The order of the menu: good before bad, then sort-key up, version down, file name down (BLS, "Sorting"). */
export function sortLoaderEntries<T extends LoaderEntry>(entries: readonly T[]): T[] {
  return [...entries].sort((a, b) => {
    if (a.isBad !== b.isBad) return a.isBad ? 1 : -1;
    if ((a.sortKey === '') !== (b.sortKey === '')) return a.sortKey === '' ? 1 : -1;
    if (a.sortKey !== b.sortKey) return a.sortKey < b.sortKey ? -1 : 1;
    return compareVersions(b.version, a.version) || compareVersions(b.id, a.id);
  });
}

/** Runs of digits as numbers, the rest as text; `~` sorts before everything, as in RPM and dpkg. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [left, right].map((version) => version.match(/\d+|~|[a-zA-Z]+|[^\da-zA-Z~]/g) ?? []);
  for (let index = 0; index < Math.max(a?.length ?? 0, b?.length ?? 0); index += 1) {
    const [x = '', y = ''] = [a?.[index], b?.[index]];
    if (x === y) continue;
    if (x === '~' || y === '~') return x === '~' ? -1 : 1;
    const isNumeric = /^\d/.test(x) && /^\d/.test(y);
    if (isNumeric && Number(x) !== Number(y)) return Number(x) - Number(y);
    if (!isNumeric) return x < y ? -1 : 1;
  }
  return 0;
}
