import type { PaxOverrides } from './pax-records.ts';
import type { TarEntry, TarEntryKind } from './tar-entry.ts';
import type { TarHeader } from './tar-header.ts';
import { TarFormatError } from './tar-numbers.ts';

const kinds: Readonly<Record<string, TarEntryKind>> = {
  '0': 'file',
  '\0': 'file',
  /** Contiguous file: a file where nobody has such a thing. */
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
};

export interface MergeOptions {
  /** GNU long names; they win over PAX, as in Go's archive/tar. Empty where there was none. */
  readonly longName: string;
  readonly longLink: string;
  readonly sparseName: string | undefined;
  readonly realBytes: number | undefined;
}

/** Links, folders, devices and fifos have no data, whatever their size field says (POSIX; Go does the same). */
export function storesData(kind: TarEntryKind): boolean {
  return kind === 'file' || kind === 'unknown';
}

/** Base header, PAX records and GNU long names as one entry, and how many bytes the archive stores for it. */
export function mergeHeader(
  header: TarHeader,
  pax: PaxOverrides | null,
  options: MergeOptions,
): { entry: TarEntry; storedBytes: number } {
  const name = options.sparseName ?? (options.longName || (pax?.path ?? header.name));
  const linkName = options.longLink || (pax?.linkPath ?? header.linkName);
  const kind = kindOf(header.typeflag, name);
  const sizeBytes = pax?.sizeBytes ?? header.sizeBytes;
  if (sizeBytes < 0 || (options.realBytes ?? 0) < 0) throw new TarFormatError('an entry has a negative size');
  const mtime = pax?.mtime ?? header.mtime;
  const entry: TarEntry = {
    kind,
    typeflag: header.typeflag,
    name,
    linkName,
    mode: header.mode & 0o7777,
    uid: pax?.uid ?? header.uid,
    gid: pax?.gid ?? header.gid,
    sizeBytes: options.realBytes ?? sizeBytes,
    mtime,
    atime: pax?.atime ?? header.atime ?? mtime,
    major: header.major,
    minor: header.minor,
    xattrs: pax?.xattrs ?? [],
    ignored: pax?.ignored ?? [],
  };
  return { entry, storedBytes: storesData(kind) ? sizeBytes : 0 };
}

function kindOf(typeflag: string, name: string): TarEntryKind {
  // v7 wrote folders as files whose name ends in a slash.
  if (typeflag === '\0' && name.endsWith('/')) return 'directory';
  return kinds[typeflag] ?? 'unknown';
}
