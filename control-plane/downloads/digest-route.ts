import { z } from 'zod';
import type { ServerContext } from '../context.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { type AssetKind, openAsset } from './asset-files.ts';
import type { KeptResults } from './kept-results.ts';

export interface DigestOf {
  readonly asset: AssetKind;
  /** Of the file itself; its digest has `.sha256` behind it. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly digests: KeptResults<string>;
}

/** `PATH.sha256`: the SHA-256 of an asset, as sha256sum writes it. */
export function digestRoute(context: ServerContext, { asset, path, digests, ...shown }: DigestOf): Route {
  const fileName = path.split('/').at(-1) ?? '';
  return defineRoute({
    ...shown,
    method: 'GET',
    path: `${path}.sha256`,
    tag: 'Downloads',
    access: 'public',
    responses: { 200: z.string() },
    errors: [404, 503],
    contentType: 'text/plain; charset=utf-8',
    handle: async ({ reply }) => {
      reply.header('cache-control', 'no-cache');
      await using file = await openAsset(asset, context);
      return `${await digests.of(file)}  ${fileName}\n`;
    },
  });
}
