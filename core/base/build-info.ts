import { readFileSync } from 'node:fs';

export interface BuildInfo {
  /** Of package.json. */
  readonly version: string;
  /** Full commit id, with `-dirty` where the tree had changes; `source` when run from source. */
  readonly commit: string;
}

// Put in by esbuild's `define`; absent when run from source.
declare const DURANTIC_VERSION: string | undefined;
declare const DURANTIC_COMMIT: string | undefined;

/** What this program was built from. */
export function buildInfo(): BuildInfo {
  if (typeof DURANTIC_VERSION === 'string' && typeof DURANTIC_COMMIT === 'string') {
    return { version: DURANTIC_VERSION, commit: DURANTIC_COMMIT };
  }
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const version: unknown = (JSON.parse(text) as { version?: unknown }).version;
  return { version: typeof version === 'string' ? version : '0.0.0', commit: 'source' };
}
