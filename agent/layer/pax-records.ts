import { parseDecimal, parsePaxTime, TarFormatError, type TarTime, toOwner } from './tar-numbers.ts';

/** An extended attribute as the archive has it; the name is a byte string. */
export interface TarXattr {
  readonly name: string;
  readonly value: Buffer;
}

/** The plain records; byte strings, undefined where nothing is said. */
export interface PaxTexts {
  readonly path?: string;
  readonly linkPath?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly sizeBytes?: number;
  readonly mtime?: TarTime;
  readonly atime?: TarTime;
}

/** What the records of a PAX header change in the entry that follows. */
export interface PaxOverrides extends PaxTexts {
  readonly xattrs: readonly TarXattr[];
  /** `GNU.sparse.*` records without that prefix; 0.0's offset/numbytes pairs are joined into `map`, as 0.1 has it. */
  readonly sparse: ReadonlyMap<string, string>;
  /** Keys that say something which is not applied, e.g. `SCHILY.acl.access`. */
  readonly ignored: readonly string[];
}

const xattrPrefix = 'SCHILY.xattr.';
const sparsePrefix = 'GNU.sparse.';
/** Textual ACLs of star and `tar --acls`; layers carry ACLs as `SCHILY.xattr.system.posix_acl_*`. */
const ignoredPrefixes = ['SCHILY.acl.', 'RHT.security.selinux', 'LIBARCHIVE.xattr.'];

/** The records of a PAX header, in order: `LENGTH KEY=VALUE\n`, LENGTH in bytes of the whole record (pax(1)). */
export function* readPaxRecords(bytes: Buffer): Generator<{ key: string; value: Buffer }> {
  for (let offset = 0; offset < bytes.length; ) {
    const blank = bytes.indexOf(0x20, offset);
    const lengthText = blank < 0 ? '' : bytes.toString('latin1', offset, blank);
    const recordBytes = /^\d{1,8}$/.test(lengthText) ? Number(lengthText) : 0;
    const end = offset + recordBytes;
    if (recordBytes < 5 || end > bytes.length || bytes[end - 1] !== 0x0a) {
      throw new TarFormatError('a PAX record has a wrong length');
    }
    const equals = bytes.indexOf(0x3d, blank + 1);
    if (equals <= blank + 1 || equals >= end) throw new TarFormatError('a PAX record has no key');
    yield { key: bytes.toString('latin1', blank + 1, equals), value: bytes.subarray(equals + 1, end - 1) };
    offset = end;
  }
}

/**
 * A PAX header's records as overrides; a key that comes twice counts the second time. An empty value says nothing, as
 * umoci (Go's archive/tar) takes it. Values are bytes whatever `hdrcharset` says.
 * @throws TarFormatError for a record that is malformed.
 */
export function parsePaxHeader(bytes: Buffer): PaxOverrides {
  const texts: Mutable<PaxTexts> = {};
  const xattrs = new Map<string, Buffer>();
  const sparse = new Map<string, string>();
  const pairs: string[] = [];
  const ignored = new Set<string>();
  for (const { key, value } of readPaxRecords(bytes)) {
    if (applyText(texts, key, value)) continue;
    if (key.includes('\0')) throw new TarFormatError('a PAX key holds a NUL byte');
    if (key.startsWith(xattrPrefix)) xattrs.set(key.slice(xattrPrefix.length), value);
    else if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') addPair(pairs, key, value);
    else if (key.startsWith(sparsePrefix)) sparse.set(key.slice(sparsePrefix.length), value.toString('latin1'));
    else if (ignoredPrefixes.some((prefix) => key.startsWith(prefix))) ignored.add(key);
  }
  if (pairs.length > 0) sparse.set('map', pairs.join(','));
  return { ...texts, xattrs: xattrs.size === 0 ? [] : toList(xattrs), sparse, ignored: [...ignored] };
}

function toList(xattrs: ReadonlyMap<string, Buffer>): TarXattr[] {
  return [...xattrs].filter(([, value]) => value.length > 0).map(([name, value]) => ({ name, value }));
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
/** @returns false when the key is none of the plain ones. */
function applyText(texts: Mutable<PaxTexts>, key: string, value: Buffer): boolean {
  const text = value.length === 0 ? null : value.toString('latin1');
  switch (key) {
    case 'path':
      set(texts, 'path', text, checkName);
      return true;
    case 'linkpath':
      set(texts, 'linkPath', text, checkName);
      return true;
    case 'uid':
      set(texts, 'uid', text, parseOwner);
      return true;
    case 'gid':
      set(texts, 'gid', text, parseOwner);
      return true;
    case 'size':
      set(texts, 'sizeBytes', text, parseDecimal);
      return true;
    case 'mtime':
      set(texts, 'mtime', text, parsePaxTime);
      return true;
    case 'atime':
      set(texts, 'atime', text, parsePaxTime);
      return true;
    default:
      return false;
  }
}

function set<K extends keyof PaxTexts>(
  texts: Mutable<PaxTexts>,
  key: K,
  text: string | null,
  parse: (text: string) => Mutable<PaxTexts>[K],
): void {
  if (text === null) delete texts[key];
  else texts[key] = parse(text);
}

function parseOwner(text: string): number {
  return toOwner(parseDecimal(text));
}

function checkName(text: string): string {
  if (text.includes('\0')) throw new TarFormatError('a name in a PAX record holds a NUL byte');
  return text;
}

/** Sparse format 0.0 repeats the keys: offset, numbytes, offset, numbytes… */
function addPair(pairs: string[], key: string, value: Buffer): void {
  const expected = pairs.length % 2 === 0 ? 'GNU.sparse.offset' : 'GNU.sparse.numbytes';
  const text = value.toString('latin1');
  if (key !== expected || text.includes(',')) throw new TarFormatError('the sparse map is out of order');
  pairs.push(text);
}
