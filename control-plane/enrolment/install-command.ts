import { formatKernelParameters, type KernelParameters, noKernelParameters } from '../../protocol/kernel-parameters.ts';
import type { ServerContext } from '../context.ts';
import { ApiError } from '../http/api-error.ts';

type ServerAddress = Pick<ServerContext, 'publicUrls' | 'pin' | 'leafPin'>;

/**
 * The line that an operator pastes into a root shell of a machine (control-plane.md, "REST"). With a CA that only this
 * server knows, curl is told to check the server's key instead of its certificate (curl(1), `--pinnedpubkey`: `-k`
 * switches off the certificate's check, not the pin's). The token goes through the environment, never through argv.
 */
export function installCommand(server: ServerAddress, token: string): string {
  const hasOwnCa = server.pin !== null && server.leafPin !== null;
  const trust = hasOwnCa ? `-k --pinnedpubkey '${server.leafPin}' ` : '';
  return `curl ${trust}-sfL ${firstUrl(server)}/install.sh | DURANTIC_TOKEN=${token} bash -`;
}

/**
 * For the kernel command line of the installer (protocol.md, "Kernel parameters"), each parameter a word.
 * @throws ApiError 422 when a value cannot be written there.
 */
export function kernelParameters(settings: Pick<KernelParameters, 'server' | 'pin' | 'token'>): readonly string[] {
  const words = formatKernelParameters({ ...noKernelParameters, ...settings });
  if ('value' in words) return words.value;
  throw new ApiError(422, words.problem);
}

/** The address of the server that is shown. */
export function firstUrl({ publicUrls }: Pick<ServerContext, 'publicUrls'>): string {
  return publicUrls[0] ?? '';
}
