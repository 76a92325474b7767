import { runCommand } from '../../core/base/run-command.ts';
import { type Approval, approvalSchema } from '../../protocol/api/approvals.ts';
import type { BootstrapLifetime } from '../../protocol/api/bootstrap.ts';
import { type Machine, machineListItemSchema, machineSchema } from '../../protocol/api/machines.ts';
import { type ServerProcess, type ServerProcessOptions, startServerProcess } from '../builders/server-process.ts';
import { freePort, type Resources } from '../resources.ts';
import { assetsDir } from './installer-assets.ts';

/** Where guests find the server: in QEMU's own network, and in a `GuestLan`. */
export const userNetHost = '10.0.2.2';
export const lanHost = '10.77.0.1';

/** A real `durantic server` that test guests reach, with everything that they boot from. */
export interface InstallerServer {
  readonly process: ServerProcess;
  /** What it hands out. */
  readonly assetsDir: string;
  /** Of the plain listener for firmware. */
  readonly bootPort: number;
  /** As a guest dials it; default: in QEMU's own network. */
  url(host?: string): string;
  bootUrl(host?: string): string;
  token(lifetime?: BootstrapLifetime): Promise<string>;
  /** Calls `/api/PATH` and gives the body. @throws Error for a status other than 2xx. */
  api(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Enters the code that a machine shows. */
  approve(code: string): Promise<Approval>;
  machines(): Promise<Machine[]>;
  /** Downloads the ISO as the server gives it to who asks under this name for it. */
  downloadIso(file: string, options: { readonly host: string; readonly token: string | null }): Promise<void>;
  /** Registers a machine by its MAC addresses and marks it for installation at its next network boot. */
  expect(macs: readonly string[]): Promise<void>;
}

export interface InstallerServerOptions {
  readonly dataDir?: string;
  /** Default: what `scripts/build-installer` has made. */
  readonly assetsDir?: string;
  /** Further flags of `durantic server run`. */
  readonly args?: readonly string[];
  readonly hosts?: ServerProcessOptions['hosts'];
}

export async function startInstallerServer(
  resources: Resources,
  options: InstallerServerOptions = {},
): Promise<InstallerServer> {
  const [port, bootPort] = [await freePort(), await freePort()];
  const urls = ['127.0.0.1', userNetHost, lanHost].flatMap((host) => ['--public-url', `https://${host}:${port}`]);
  const listen = ['--http-boot', `127.0.0.1:${bootPort}`, '--assets', options.assetsDir ?? assetsDir];
  const server = await startServerProcess(resources, {
    port,
    args: [...urls, ...listen, ...(options.args ?? [])],
    ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }),
    ...(options.hosts === undefined ? {} : { hosts: options.hosts }),
  });
  const api = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const reply = await server.api<unknown>(method, `/api/${path}`, body);
    if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    return reply.body;
  };
  return {
    process: server,
    assetsDir: options.assetsDir ?? assetsDir,
    api,
    bootPort,
    url: (host = userNetHost) => `https://${host}:${port}`,
    bootUrl: (host = userNetHost) => `http://${host}:${bootPort}`,
    token: async (lifetime = '1d') =>
      ((await api('POST', 'provisioning/bootstrap-tokens/', { lifetime })) as { token: string }).token,
    approve: async (code) => approvalSchema.parse(await api('POST', 'provisioning/approvals/', { code })),
    machines: async () => {
      const list = machineListItemSchema
        .pick({ uuid: true })
        .array()
        .parse(await api('GET', 'provisioning/machines/'));
      return await Promise.all(
        list.map(async ({ uuid }) => machineSchema.parse(await api('GET', `provisioning/machines/${uuid}`))),
      );
    },
    downloadIso: async (file, { host, token }) => {
      const url = `http://${host}:${bootPort}/boot/installer.iso${token === null ? '' : `?token=${token}`}`;
      const config = `url = "${url}"\nconnect-to = "::127.0.0.1:${bootPort}"\noutput = "${file}"\n`;
      await runCommand('curl', ['-sS', '--fail', '--config', '-'], { input: config });
    },
    expect: async (macs) => {
      const { uuid } = (await api('POST', 'provisioning/known-machines/', { macs })) as { uuid: string };
      await api('POST', `provisioning/machines/${uuid}/install-mark`, {});
    },
  };
}
