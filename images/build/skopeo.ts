import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';

/** How a registry is spoken to. */
export interface RegistryAccess {
  readonly plainHttp: boolean;
  /** PEM file with the CA certificates to trust. */
  readonly registryCaFile: string | null;
}

export interface PushOptions extends RegistryAccess {
  /** `registry.example/os/debian:12`. */
  readonly reference: string;
  readonly layout: string;
  readonly tag: string;
  readonly signal: AbortSignal;
}

/**
 * Pushes an image of an OCI layout with skopeo, as it is: no blob is compressed again, so that digests stay.
 * Credentials are those that skopeo finds (docker's or podman's login).
 * @throws ProvisionError `tool_missing`, `registry_error`, `image_build_failed` (CA file), `aborted`.
 */
export async function pushToRegistry(options: PushOptions): Promise<void> {
  const certificates = await certificateFolder(options.registryCaFile);
  try {
    const access = [
      ...(options.plainHttp ? ['--dest-tls-verify=false'] : []),
      ...(certificates === null ? [] : ['--dest-cert-dir', certificates]),
    ];
    const images = [`oci:${options.layout}:${options.tag}`, `docker://${options.reference}`];
    // The policy file says which signatures a pull needs; nothing is pulled here, and not every machine has one.
    const args = ['--insecure-policy', 'copy', '--quiet', '--preserve-digests', ...access, ...images];
    await runCommand('skopeo', args, { signal: options.signal });
  } catch (cause) {
    throw explain(cause, options.reference);
  } finally {
    if (certificates !== null) await rm(certificates, { recursive: true, force: true });
  }
}

function explain(cause: unknown, reference: string): unknown {
  if (!(cause instanceof ProvisionError)) return cause;
  const { facts } = cause;
  if (cause.code === 'tool_missing') {
    const message = 'skopeo is not installed, and images are pushed with it; install it or build into oci:DIR';
    return new ProvisionError('tool_missing', message, { cause, facts });
  }
  if (cause.code !== 'tool_failed') return cause;
  return new ProvisionError('registry_error', `the image could not be pushed to ${reference}`, { cause, facts });
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
