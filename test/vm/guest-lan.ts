import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { runCommand } from '../../core/base/run-command.ts';
import { addNamespace } from '../builders/add-namespace.ts';
import { type Resources, waitFor } from '../resources.ts';
import { type InstallerServer, lanHost } from './installer-server.ts';
import type { VmNetwork } from './vm-network.ts';

/** A cable from a guest's card into the namespace, which is 10.77.N.1 at its end. */
export interface Cable {
  readonly subnet: string;
  readonly tap: string;
  /** For `network` of a guest that is started with the LAN's `netns`. */
  readonly card: Pick<VmNetwork, 'backend'>;
}

export interface DhcpOptions {
  /** Default true; false: an address and no way anywhere else. */
  readonly hasRouter?: boolean;
  readonly hasIpv4?: boolean;
  /** Names that its DNS server knows, which it names to its clients; default: it has none. */
  readonly names?: Readonly<Record<string, string>>;
  /** Further options of dnsmasq. */
  readonly args?: readonly string[];
}

export interface Lease {
  readonly mac: string;
  readonly address: string;
  /** As the client sent it, `01:52:54:…` for its MAC address; `*`: none. */
  readonly clientId: string;
}

export interface DhcpServer {
  leases(): Lease[];
  /** Everything that dnsmasq has logged. */
  log(): string;
  stop(): void;
}

/**
 * A network namespace with one cable to each card of a guest, where a test decides which of them has DHCP and which
 * leads to the server: on each other end is this namespace, and in it the server's address 10.77.0.1.
 */
export class GuestLan {
  readonly netns: string;
  readonly #resources: Resources;
  #cables = 0;

  private constructor(resources: Resources, netns: string) {
    this.#resources = resources;
    this.netns = netns;
  }

  static async create(resources: Resources): Promise<GuestLan> {
    const netns = await addNamespace(resources, 'lan');
    const lan = new GuestLan(resources, netns);
    await lan.ip('link', 'set', 'lo', 'up');
    await lan.ip('address', 'add', `${lanHost}/32`, 'dev', 'lo');
    return lan;
  }

  /** `ip …` inside the namespace. */
  async ip(...args: string[]): Promise<void> {
    await runCommand('ip', ['-n', this.netns, ...args]);
  }

  async addCable(): Promise<Cable> {
    this.#cables += 1;
    const [tap, subnet] = [`cable${this.#cables}`, `10.77.${this.#cables}`];
    await this.ip('tuntap', 'add', 'dev', tap, 'mode', 'tap');
    await this.ip('address', 'add', `${subnet}.1/24`, 'dev', tap);
    await this.ip('link', 'set', tap, 'up');
    return { subnet, tap, card: { backend: { tap } } };
  }

  /** dnsmasq at the other end of a cable; ends with the test, or when it is stopped. */
  async startDhcp({ tap, subnet }: Cable, options: DhcpOptions = {}): Promise<DhcpServer> {
    const dir = this.#resources.tempDir();
    const [leaseFile, logFile] = [join(dir, 'leases'), join(dir, 'log')];
    for (const file of [leaseFile, logFile]) writeFileSync(file, '');
    const files = [
      `--dhcp-leasefile=${leaseFile}`,
      `--log-facility=${logFile}`,
      '--pid-file=',
      '--conf-file=/dev/null',
    ];
    const place = [`--interface=${tap}`, '--except-interface=lo', '--bind-dynamic', '--user=root'];
    const hosts = Object.entries(options.names ?? {}).map(([name, address]) => `--host-record=${name},${address}`);
    const dns = options.names === undefined ? ['--port=0'] : ['--no-resolv', '--no-hosts', ...hosts];
    const range = `--dhcp-range=${subnet}.10,${subnet}.99,255.255.255.0,1h`;
    // An option without value is not sent, which dnsmasq would do by itself (dnsmasq(8), --dhcp-option).
    const router = options.hasRouter === false ? ['--dhcp-option=option:router'] : [];
    const how = ['--keep-in-foreground', '--no-ping', '--dhcp-authoritative', '--log-dhcp'];
    const v4 = options.hasIpv4 === false ? [] : [range, ...router];
    const args = [...how, ...files, ...place, ...dns, ...v4, ...(options.args ?? [])];
    const child = this.#resources.spawn('ip', ['netns', 'exec', this.netns, 'dnsmasq', ...args]);
    await waitFor('dnsmasq to be up', () => {
      const log = readFileSync(logFile, 'utf8');
      if (child.exitCode !== null) throw new Error(`dnsmasq ended with ${child.exitCode}: ${log}`);
      return log.includes('started');
    });
    return {
      leases: () => parseLeases(readFileSync(leaseFile, 'utf8')),
      log: () => readFileSync(logFile, 'utf8'),
      stop: () => void child.kill('SIGTERM'),
    };
  }

  /** Addresses that have a established connection to this port of the server's; a guest that is cut off keeps it for a while. */
  async connections(port: number): Promise<string[]> {
    const filter = ['state', 'established', `sport = :${port}`];
    const { stdout } = await runCommand('ip', ['netns', 'exec', this.netns, 'ss', '-Htn', ...filter]);
    return stdout.split('\n').flatMap((line) => /\s(\d+\.\d+\.\d+\.\d+):\d+\s*$/.exec(line)?.[1] ?? []);
  }

  /** Makes the server, which listens on this host's loopback, answer in the namespace under 10.77.0.1. */
  async join(server: InstallerServer): Promise<void> {
    for (const port of [server.process.port, server.bootPort]) await this.relay(port);
  }

  /** Makes a port of this host's loopback answer in the namespace under 10.77.0.1, by the same number. */
  // A socket file is in both namespaces: what is dialled in one comes out in the other.
  async relay(port: number): Promise<{ stop(): void }> {
    const socketPath = join(this.#resources.tempDir(), 'relay.sock');
    const relay = createServer({ allowHalfOpen: true }, (inside) => {
      const outside = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
      pipeline(inside, outside, inside, () => undefined);
    });
    await new Promise<void>((resolve) => relay.listen(socketPath, resolve));
    this.#resources.defer(`close the relay of port ${port}`, () => void relay.close());
    const script = new URL('lan-relay.ts', import.meta.url).pathname;
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', script];
    const child = this.#resources.spawn(
      'ip',
      ['netns', 'exec', this.netns, ...node, socketPath, lanHost, String(port)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let printed = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
    });
    await waitFor(`the relay of port ${port}`, () => printed.includes('ready'), { timeoutMs: 20_000 });
    return { stop: () => void child.kill('SIGKILL') };
  }
}

/** dnsmasq's file: expiry, MAC address, address, host name, client id. */
function parseLeases(text: string): Lease[] {
  return text.split('\n').flatMap((line) => {
    const [, mac, address, , clientId] = line.split(' ');
    return mac === undefined || address === undefined || clientId === undefined ? [] : [{ mac, address, clientId }];
  });
}
