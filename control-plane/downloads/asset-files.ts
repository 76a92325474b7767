import { dirname, join } from 'node:path';
import { errnoOf } from '../../core/base/errors.ts';
import { isSea } from '../../core/base/sea-asset.ts';
import { ApiError } from '../http/api-error.ts';
import { FileSource } from './file-source.ts';

/** What the server hands out beside its API: the name of each file in the folder of assets, and what builds it. */
const assets = {
  agentBundle: { fileName: 'durantic-linux-x64.tar.gz', builder: './scripts/build-binary' },
  kernel: { fileName: 'vmlinuz', builder: './scripts/build-installer' },
  iso: { fileName: 'installer.iso', builder: './scripts/build-installer' },
} as const;

export type AssetKind = keyof typeof assets;

export const agentBundleName = assets.agentBundle.fileName;

export interface AssetPlaces {
  /** `--assets`, or null. */
  readonly assetsDir: string | null;
  /** Injectable for tests; default: this program, null when it runs from source. */
  readonly execPath?: string | null;
}

/**
 * Opens an asset. The agent's bundle is also taken from where the build has put it, beside the running program or its
 * folder, when the folder of assets has none.
 * @throws ApiError 404 with the command that builds it; 503 when it cannot be read.
 */
export async function openAsset(kind: AssetKind, places: AssetPlaces): Promise<FileSource> {
  const { fileName, builder } = assets[kind];
  for (const folder of foldersOf(kind, places)) {
    try {
      const file = await FileSource.open(join(folder, fileName));
      if (file !== null) return file;
    } catch (error) {
      throw new ApiError(503, `the server cannot read ${fileName} (${errnoOf(error) ?? 'unknown error'})`);
    }
  }
  const where =
    places.assetsDir === null
      ? 'and start the server with --assets DIR, the folder that holds it'
      : 'and put it into the folder that the server was given with --assets';
  throw new ApiError(404, `the server has no ${fileName}: build it with ${builder} ${where}`);
}

function foldersOf(kind: AssetKind, places: AssetPlaces): string[] {
  const folders = places.assetsDir === null ? [] : [places.assetsDir];
  const execPath = places.execPath === undefined ? (isSea() ? process.execPath : null) : places.execPath;
  if (kind === 'agentBundle' && execPath !== null) folders.push(dirname(execPath), dirname(dirname(execPath)));
  return folders;
}
