import type { ServerContext } from '../context.ts';

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

/** For the kernel command line of the installer (protocol.md, "Kernel parameters"). */
export function kernelParameters(server: ServerAddress, token: string): string {
  const parameters = [`durantic.server=${firstUrl(server)}`, `durantic.token=${token}`];
  if (server.pin !== null) parameters.push(`durantic.pin=${server.pin}`);
  return parameters.join(' ');
}

function firstUrl({ publicUrls }: ServerAddress): string {
  return publicUrls[0] ?? '';
}
