import { readFileSync } from 'node:fs';
import { getAsset, getRawAsset, isSea as nodeIsSea } from 'node:sea';
import { errnoOf, ProvisionError } from './errors.ts';
import { layDownAsset } from './lay-down-asset.ts';
import { openPrivateFolder } from './open-private-folder.ts';

/** Name of the asset that holds `{[name]: sha256}` of all others; scripts/build writes it. */
const assetManifestName = 'assets.json';

/** True in the built binary, false when run from source. */
export function isSea(): boolean {
  return nodeIsSea();
}

/**
 * The text of a file that travels with the program: from source the file itself, in the built binary the SEA asset `name`.
 * @param source Where it lies in the repository.
 */
export function assetText(name: string, source: URL): string {
  return isSea() ? getAsset(name, 'utf8') : readFileSync(source, 'utf8');
}

/**
 * Path of a file that travels with the program: from source `dist/assets/NAME`, in the built binary the SEA asset,
 * laid down in a 0700 folder and checked against the manifest's SHA-256. Ask right before the file is used.
 * @throws ProvisionError `asset_folder_unusable`, `asset_damaged`, `invariant` for a name that was not built in.
 */
export function assetFile(name: string): string {
  if (!isSea()) return new URL(`../../dist/assets/${name}`, import.meta.url).pathname;
  const digests = JSON.parse(getAsset(assetManifestName, 'utf8')) as Record<string, string>;
  const sha256 = Object.hasOwn(digests, name) ? digests[name] : undefined;
  if (sha256 === undefined) throw new ProvisionError('invariant', `no part named ${name} was built into the program`);
  const folder = openPrivateFolder();
  try {
    return layDownAsset({ name, bytes: new Uint8Array(getRawAsset(name)), sha256 }, folder);
  } catch (cause) {
    if (cause instanceof ProvisionError) throw cause;
    const facts = { asset: name, folder, errno: errnoOf(cause) ?? null };
    throw new ProvisionError('asset_folder_unusable', `the part ${name} cannot be laid down in ${folder}`, {
      cause,
      facts,
    });
  }
}
