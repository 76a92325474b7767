import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { errnoOf, ProvisionError } from './errors.ts';

export interface Asset {
  /** A plain file name. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Hex, from the manifest that was made when the program was built. */
  readonly sha256: string;
}

/**
 * Puts a file that travels inside the program into a private folder (see `openPrivateFolder`) and gives its path.
 * The file is written under a random name and renamed, so that programs that start at the same time, or a power
 * cut, never leave half a file under the final name. What lies there is compared with the manifest at every call,
 * as late as possible before it is loaded.
 * @throws ProvisionError `asset_damaged`; errors of the file system as they come.
 */
export function layDownAsset(asset: Asset, folder: string): string {
  if (sha256(asset.bytes) !== asset.sha256) {
    throw new ProvisionError('asset_damaged', `the part ${asset.name} inside the program is damaged`, {
      facts: { asset: asset.name, sha256_expected: asset.sha256 },
    });
  }
  // The digest in the name lets several versions of the program share the folder.
  const path = join(folder, `${asset.sha256.slice(0, 16)}-${asset.name}`);
  if (!holdsAsset(path, asset)) writeAtomically(path, asset.bytes);
  if (!holdsAsset(path, asset)) {
    throw new ProvisionError('asset_damaged', `${path} does not hold what was just written to it`, {
      facts: { asset: asset.name, path, sha256_expected: asset.sha256 },
    });
  }
  return path;
}

/** True for a regular file of ours that nobody else may write, with exactly the asset's bytes. */
function holdsAsset(path: string, asset: Asset): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile() || stat.size !== asset.bytes.byteLength) return false;
  if (stat.uid !== process.geteuid?.() || (stat.mode & 0o022) !== 0) return false;
  return sha256(readFileSync(path)) === asset.sha256;
}

function writeAtomically(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${randomBytes(8).toString('hex')}.tmp`;
  const fd = openSync(
    temporary,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o700,
  );
  try {
    try {
      for (let written = 0; written < bytes.byteLength; ) written += writeSync(fd, bytes, written);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameOver(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** rename(2) refuses to replace a folder by a file; in our own private folder such a thing may be removed. */
function renameOver(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (errnoOf(error) !== 'EISDIR') throw error;
    rmSync(to, { recursive: true });
    renameSync(from, to);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
