import { lstatSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { errnoOf, ProvisionError } from './errors.ts';

const rootRuntimeDir = '/run';

export interface PrivateFolderOptions {
  /** Folders to try, best first. Default: `privateFolderCandidates()`. */
  readonly candidates?: readonly string[];
  /** Text of /proc/self/mountinfo (proc(5)); default: the real one, or nothing where /proc is not mounted. */
  readonly mountinfo?: string;
}

/**
 * A folder with mode 0700 that belongs to this user alone and from which code can be loaded. A candidate that
 * somebody else made first (a symlink, another owner, open to others) is never used or repaired: an unguessable
 * folder is made beside it instead.
 * @throws ProvisionError `asset_folder_unusable`, which says why each candidate was refused.
 */
export function openPrivateFolder(options: PrivateFolderOptions = {}): string {
  const mountinfo = options.mountinfo ?? readMountinfo();
  const refusals: string[] = [];
  for (const candidate of options.candidates ?? privateFolderCandidates()) {
    const result = tryCandidate(candidate, mountinfo);
    if ('path' in result) return result.path;
    refusals.push(`${candidate} ${result.refusal}`);
  }
  throw new ProvisionError(
    'asset_folder_unusable',
    `no private folder can be used to load a native part from (${refusals.join('; ')})`,
    { facts: { refusals } },
  );
}

/** Best first: /run is closed to other users (but often noexec), the others are shared and sticky. */
export function privateFolderCandidates(): string[] {
  const uid = process.geteuid?.() ?? 0;
  const runtimeDir = uid === 0 ? rootRuntimeDir : process.env['XDG_RUNTIME_DIR'];
  const own = runtimeDir === undefined || runtimeDir === '' ? [] : [join(runtimeDir, 'durantic')];
  const shared = new Set([tmpdir(), '/tmp', '/var/tmp', '/dev/shm']);
  return [...own, ...[...shared].map((dir) => join(dir, `durantic-${uid}`))];
}

function tryCandidate(candidate: string, mountinfo: string): { path: string } | { refusal: string } {
  try {
    const parent = existingParent(candidate);
    if (isNoexec(parent, mountinfo)) return { refusal: 'is on a file system mounted noexec' };
    if (!isSafeFromOthers(parent)) return { refusal: 'lies in a folder that other users can change' };
    return { path: claim(candidate) };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return { refusal: `cannot be made (${errno})` };
  }
}

/** A bare initramfs may lack even /run; no other parent is made, because its mode is not ours to decide. */
function existingParent(candidate: string): string {
  const parent = dirname(candidate);
  if (parent === rootRuntimeDir && process.geteuid?.() === 0) mkdirSync(parent, { recursive: true, mode: 0o755 });
  return realpathSync(parent);
}

/** Nobody but root and this user can rename anything on the way to the folder: owners, and sticky where shared. */
function isSafeFromOthers(folder: string): boolean {
  const { uid, mode } = statSync(folder);
  const isOwnerTrusted = uid === 0 || uid === process.geteuid?.();
  const isShared = (mode & 0o022) !== 0;
  if (!isOwnerTrusted || (isShared && (mode & 0o1000) === 0)) return false;
  return folder === '/' || isSafeFromOthers(dirname(folder));
}

/** The candidate itself when it is ours, else a fresh folder with an unguessable name. */
function claim(candidate: string): string {
  try {
    mkdirSync(candidate, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  if (isPrivate(candidate)) return requireWritable(candidate);
  const fresh = mkdtempSync(`${candidate}-`);
  // It is lost with the process; what others put under our name must not make every start leave a folder behind.
  process.once('exit', () => removeQuietly(fresh));
  return fresh;
}

function isPrivate(path: string): boolean {
  const stat = lstatSync(path);
  return stat.isDirectory() && stat.uid === process.geteuid?.() && (stat.mode & 0o077) === 0;
}

/** Finds a read-only file system before the asset is written, so that the next candidate gets its turn. */
function requireWritable(folder: string): string {
  rmdirSync(mkdtempSync(join(folder, 'probe-')));
  return folder;
}

function removeQuietly(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // A left-over private folder in /tmp harms nobody, and the process is ending.
  }
}

/** Whether code may not be loaded from this folder: the option of the innermost mount that holds it. */
function isNoexec(folder: string, mountinfo: string): boolean {
  let innermost = { point: '', isNoexec: false };
  for (const line of mountinfo.split('\n')) {
    const [, , , , rawPoint, mountOptions] = line.split(' ');
    if (rawPoint === undefined || mountOptions === undefined) continue;
    const point = rawPoint.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    if (folder !== point && !folder.startsWith(point === '/' ? '/' : `${point}/`)) continue;
    // A later line with the same mount point covers the earlier one.
    if (point.length < innermost.point.length) continue;
    innermost = { point, isNoexec: mountOptions.split(',').includes('noexec') };
  }
  return innermost.isNoexec;
}

function readMountinfo(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  } catch {
    return '';
  }
}
