import { isSea as nodeIsSea } from 'node:sea';

/** True in the built binary, false when run from source. */
export function isSea(): boolean {
  return nodeIsSea();
}

/**
 * Path of a file that travels with the program: from source `dist/assets/NAME`, in the built binary the SEA asset,
 * laid down in a 0700 folder and checked against the manifest's SHA-256.
 */
export function assetFile(name: string): string {
  return new URL(`../../dist/assets/${name}`, import.meta.url).pathname;
}
