import { z } from 'zod';
import type { ServerContext } from '../context.ts';
import { ApiError } from '../http/api-error.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { agentBundleName, openAsset } from './asset-files.ts';
import { digestRoute } from './digest-route.ts';
import { sha256OfFile } from './file-digest.ts';
import { fillInstallScript, type InstallScriptValues, installScriptTemplate } from './install-script.ts';
import { KeptResults } from './kept-results.ts';
import { publicOrigin } from './request-origin.ts';
import { sendSource } from './send-source.ts';

/** What a machine that runs already needs to get the agent: install.sh and the agent's bundle. */
export function downloadRoutes(context: ServerContext): Route[] {
  const digests = new KeptResults(sha256OfFile);
  return [installScriptRoute(context, digests), bundleRoute(context), bundleDigestRoute(context, digests)];
}

function installScriptRoute(context: ServerContext, digests: KeptResults<string>): Route {
  return defineRoute({
    method: 'GET',
    path: '/install.sh',
    operationId: 'downloads_api_install_script',
    tag: 'Downloads',
    summary: 'Get the script that installs the agent, filled in for this server',
    access: 'public',
    responses: { 200: z.string() },
    errors: [503],
    contentType: 'text/x-shellscript; charset=utf-8',
    handle: async ({ raw, reply }) => {
      reply.header('cache-control', 'no-store');
      return fillInstallScript(installScriptTemplate(), {
        server: publicOrigin(context, raw),
        pin: context.pin,
        // A certificate that the world trusts is checked as such: its key may be renewed at any time.
        leafPin: context.pin === null ? null : context.leafPin,
        bundle: await bundleFacts(context, digests),
      });
    },
  });
}

/** A missing bundle is told by the script: `curl -sf … | bash` shows nothing of a 404. */
async function bundleFacts(
  context: ServerContext,
  digests: KeptResults<string>,
): Promise<InstallScriptValues['bundle']> {
  try {
    await using file = await openAsset('agentBundle', context);
    return { sha256: await digests.of(file), sizeBytes: file.sizeBytes };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return { missing: error.message };
    throw error;
  }
}

function bundleRoute(context: ServerContext): Route {
  return defineRoute({
    method: 'GET',
    path: `/download/${agentBundleName}`,
    operationId: 'downloads_api_agent_bundle',
    tag: 'Downloads',
    summary: "Download the agent's bundle",
    access: 'public',
    responses: { 200: z.string() },
    errors: [404, 503],
    contentType: 'application/gzip',
    handle: async (request) =>
      await sendSource(request, await openAsset('agentBundle', context), {
        contentType: 'application/gzip',
        fileName: agentBundleName,
        log: context.log,
      }),
  });
}

function bundleDigestRoute(context: ServerContext, digests: KeptResults<string>): Route {
  return digestRoute(context, {
    asset: 'agentBundle',
    path: `/download/${agentBundleName}`,
    operationId: 'downloads_api_agent_bundle_digest',
    summary: "Get the SHA-256 of the agent's bundle, as sha256sum writes it",
    digests,
  });
}
