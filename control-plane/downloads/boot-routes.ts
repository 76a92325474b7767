import { z } from 'zod';
import { ProvisionError } from '../../core/base/errors.ts';
import { findIsoBlock } from '../../core/boot-block/find-iso-block.ts';
import { encodeIsoBlock } from '../../core/boot-block/iso-block.ts';
import { parseMacAddress } from '../../protocol/ip-parameter.ts';
import { bootTokenSchema } from '../../protocol/kernel-parameter-definitions.ts';
import type { ServerContext } from '../context.ts';
import type { Enrolment } from '../enrolment/enrolment.ts';
import { kernelParameters } from '../enrolment/install-command.ts';
import { decideNetworkBoot } from '../enrolment/network-boot.ts';
import { ApiError } from '../http/api-error.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { openAsset } from './asset-files.ts';
import { digestRoute } from './digest-route.ts';
import { sha256OfFile } from './file-digest.ts';
import { chainScript, installerScript, limitedScript, localBootScript } from './ipxe-script.ts';
import { KeptResults } from './kept-results.ts';
import { PatchedSource } from './patched-source.ts';
import { bootOrigin, publicOrigin } from './request-origin.ts';
import { sendSource } from './send-source.ts';

/** iPXE sends the value of a setting that it does not have as nothing. */
const optionalToken = z.union([bootTokenSchema, z.literal('')]).optional();

/** More addresses than a machine has interfaces are somebody trying addresses. */
const mostMacs = 16;

/** What firmware and the installer's boot media are made of (control-plane.md, "Network boot"). */
export function bootRoutes(enrolment: Enrolment): Route[] {
  const { context } = enrolment;
  return [ipxeRoute(enrolment), kernelRoute(context), kernelDigestRoute(context), isoRoute(context)];
}

function ipxeRoute(enrolment: Enrolment): Route {
  const { context } = enrolment;
  const mac = z.union([z.string(), z.array(z.string()).max(mostMacs)]).optional();
  return defineRoute({
    method: 'GET',
    path: '/boot/ipxe',
    operationId: 'boot_api_ipxe_script',
    tag: 'Downloads',
    summary: 'Get the iPXE script for a bootstrap token or for the MAC addresses of a machine',
    access: 'public',
    query: z.object({ token: optionalToken, mac }),
    responses: { 200: z.string() },
    contentType: 'text/plain; charset=utf-8',
    handle: async ({ query, raw, reply, address }) => {
      reply.header('cache-control', 'no-store');
      const origin = bootOrigin(context, raw);
      const installer = (token: string | null): string =>
        installerScript(origin, kernelParameters({ server: publicOrigin(context, raw), pin: context.pin, token }));
      if (query.token) return installer(query.token);
      if (query.mac === undefined) return chainScript(origin);
      const boot = await decideNetworkBoot(enrolment, macsOf([query.mac].flat()), address);
      if (boot.kind === 'installer') return installer(boot.token?.token ?? null);
      return boot.kind === 'limited' ? limitedScript(boot.waitSeconds) : localBootScript();
    },
  });
}

/** Firmware has addresses of other forms too (InfiniBand), and none for an interface that it lacks: they are nobody's. */
function macsOf(texts: readonly string[]): Set<string> {
  return new Set(texts.map(parseMacAddress).filter((mac) => mac !== null));
}

function kernelRoute(context: ServerContext): Route {
  return defineRoute({
    method: 'GET',
    path: '/boot/vmlinuz',
    operationId: 'boot_api_kernel',
    tag: 'Downloads',
    summary: 'Download the kernel of the installer, which holds its initramfs',
    access: 'public',
    responses: { 200: z.string() },
    errors: [404, 503],
    contentType: 'application/octet-stream',
    handle: async (request) =>
      await sendSource(request, await openAsset('kernel', context), {
        contentType: 'application/octet-stream',
        fileName: 'vmlinuz',
        log: context.log,
      }),
  });
}

function kernelDigestRoute(context: ServerContext): Route {
  return digestRoute(context, {
    asset: 'kernel',
    path: '/boot/vmlinuz',
    operationId: 'boot_api_kernel_digest',
    summary: "Get the SHA-256 of the installer's kernel, as sha256sum writes it",
    digests: new KeptResults(sha256OfFile),
  });
}

function isoRoute(context: ServerContext): Route {
  const blockOffsets = new KeptResults(async ({ handle }) => await findIsoBlock(handle));
  return defineRoute({
    method: 'GET',
    path: '/boot/installer.iso',
    operationId: 'boot_api_installer_iso',
    tag: 'Downloads',
    summary: 'Download the installer ISO, told of this server and of the token that is given',
    access: 'public',
    query: z.object({ token: optionalToken }),
    responses: { 200: z.string() },
    errors: [404, 409, 503],
    contentType: 'application/x-iso9660-image',
    handle: async (request) => {
      const block = isoBlock(context, { server: publicOrigin(context, request.raw), token: request.query.token ?? '' });
      const iso = await openAsset('iso', context);
      try {
        const source = new PatchedSource(iso, block, await blockOffsets.of(iso));
        return await sendSource(request, source, {
          contentType: 'application/x-iso9660-image',
          fileName: 'durantic-installer.iso',
          cacheControl: 'no-store',
          log: context.log,
        });
      } catch (error) {
        await iso[Symbol.asyncDispose]();
        if (!(error instanceof ProvisionError) || error.code !== 'iso_block_invalid') throw error;
        throw new ApiError(409, `${error.message}; build it again with ./scripts/build-installer`);
      }
    },
  });
}

function isoBlock({ pin }: ServerContext, { server, token }: { server: string; token: string }): Buffer {
  try {
    return encodeIsoBlock({ server, ...(pin === null ? {} : { pin }), ...(token === '' ? {} : { token }) });
  } catch (error) {
    if (error instanceof ProvisionError) throw new ApiError(422, error.message);
    throw error;
  }
}
