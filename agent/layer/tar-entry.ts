import type { TarXattr } from './pax-records.ts';
import type { TarTime } from './tar-numbers.ts';

export type TarEntryKind =
  | 'file'
  | 'hardlink'
  | 'symlink'
  | 'character-device'
  | 'block-device'
  | 'directory'
  | 'fifo'
  /** A type flag that this program does not know; refused unless it is a whiteout. */
  | 'unknown';

/** An archive member with everything that PAX, GNU and base headers say about it. Names are byte strings (latin1). */
export interface TarEntry {
  readonly kind: TarEntryKind;
  readonly typeflag: string;
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Logical size, holes included. */
  readonly sizeBytes: number;
  readonly mtime: TarTime;
  readonly atime: TarTime;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: readonly TarXattr[];
  /** PAX keys that were said and are not applied. */
  readonly ignored: readonly string[];
}

/** What the parser tells, in the archive's order. Data and end follow files (and unknown kinds) only. */
export type TarEvent =
  | { readonly type: 'entry'; readonly entry: TarEntry }
  | { readonly type: 'data'; readonly bytes: Buffer; readonly offsetBytes: number }
  | { readonly type: 'end'; readonly entry: TarEntry };

/** Byte strings as people read them: UTF-8 where it is, control characters escaped. */
export function displayName(name: string): string {
  const text = Buffer.from(name, 'latin1').toString('utf8');
  const escaped = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');
  return escaped.length > 200 ? `${escaped.slice(0, 100)}…${escaped.slice(-80)}` : escaped;
}
