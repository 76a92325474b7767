import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import type { Platform } from '../../core/oci/types.ts';

/** How a registry is spoken to; credentials are those that skopeo finds (docker's or podman's login). */
export interface RegistryAccess {
  readonly plainHttp: boolean;
  /** PEM file with the CA certificates to trust. */
  readonly registryCaFile: string | null;
}

export interface CopyOptions extends RegistryAccess {
  /** `registry.example/os/debian:12`. */
  readonly reference: string;
  readonly layout: string;
  readonly tag: string;
  readonly signal: AbortSignal;
}

/**
 * Pushes an image of an OCI layout as it is: no blob is compressed again, so that digests stay.
 * @throws ProvisionError `tool_missing`, `registry_error`.
 */
export async function pushToRegistry(options: CopyOptions): Promise<void> {
  const source = `oci:${options.layout}:${options.tag}`;
  await copy(options, 'dest', ['--preserve-digests', source, `docker://${options.reference}`], 'pushed to');
}

/**
 * Pulls one platform's image into an OCI layout.
 * @throws ProvisionError `tool_missing`, `registry_error`.
 */
export async function copyFromRegistry(options: CopyOptions & { readonly platform: Platform }): Promise<void> {
  const target = `oci:${options.layout}:${options.tag}`;
  await copy(options, 'src', [`docker://${options.reference}`, target], 'pulled from');
}

async function copy(
  options: CopyOptions & { readonly platform?: Platform },
  side: 'src' | 'dest',
  args: readonly string[],
  verb: string,
): Promise<void> {
  const { platform, signal } = options;
  const variant = platform?.variant === undefined ? [] : ['--override-variant', platform.variant];
  const global =
    platform === undefined ? [] : ['--override-os', platform.os, '--override-arch', platform.architecture, ...variant];
  const certificates = await certificateFolder(options.registryCaFile);
  try {
    const access = [
      ...(options.plainHttp ? [`--${side}-tls-verify=false`] : []),
      ...(certificates === null ? [] : [`--${side}-cert-dir`, certificates]),
    ];
    await runCommand('skopeo', [...global, '--insecure-policy', 'copy', '--quiet', ...access, ...args], { signal });
  } catch (cause) {
    if (cause instanceof ProvisionError && cause.code === 'tool_missing') {
      throw new ProvisionError(
        'tool_missing',
        'skopeo is not installed, and images are pushed to and pulled from registries with it',
        { cause, facts: cause.facts },
      );
    }
    if (!(cause instanceof ProvisionError) || cause.code !== 'tool_failed') throw cause;
    throw new ProvisionError('registry_error', `the image could not be ${verb} ${options.reference}`, {
      cause,
      facts: cause.facts,
    });
  } finally {
    if (certificates !== null) await rm(certificates, { recursive: true, force: true });
  }
}

/** skopeo takes a folder and trusts the files in it that end in .crt. */
async function certificateFolder(file: string | null): Promise<string | null> {
  if (file === null) return null;
  const folder = await mkdtemp(join(tmpdir(), 'durantic-ca-'));
  try {
    await copyFile(file, join(folder, 'registry.crt'));
  } catch (cause) {
    await rm(folder, { recursive: true, force: true });
    throw new ProvisionError('image_build_failed', `the CA certificates ${file} cannot be read`, { cause });
  }
  return folder;
}
