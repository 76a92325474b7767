import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import { type Resources, waitFor } from '../resources.ts';
import { addNamespace } from './add-namespace.ts';

const repoDir = new URL('../../', import.meta.url).pathname;

/** A network namespace with its loopback on, deleted with the test. */
export class Namespace {
  readonly name: string;
  readonly #resources: Resources;

  private constructor(resources: Resources, name: string) {
    this.#resources = resources;
    this.name = name;
  }

  static async create(resources: Resources, purpose: string): Promise<Namespace> {
    const namespace = new Namespace(resources, await addNamespace(resources, purpose));
    await namespace.ip('link', 'set', 'lo', 'up');
    return namespace;
  }

  async ip(...args: string[]): Promise<string> {
    return (await runCommand('ip', ['-n', this.name, ...args])).stdout;
  }

  async set(sysctl: string, value: string): Promise<void> {
    const file = `/proc/sys/${sysctl.replaceAll('.', '/')}`;
    await runCommand('ip', ['netns', 'exec', this.name, 'sh', '-c', `echo ${value} >${file}`]);
  }

  /** Starts a program in it, ended with the test. */
  spawn(args: readonly string[], options: Parameters<Resources['spawn']>[2] = {}): ChildProcess {
    return this.#resources.spawn('ip', ['netns', 'exec', this.name, ...args], options);
  }
}

export interface NetworkOptions {
  /** Address of the router, `10.1.0.1/24`, and of IPv6 if there is any. */
  readonly addresses: readonly string[];
  /** Lines of dnsmasq's configuration; null: no DHCP, no advertisements, no name server. */
  readonly dnsmasq: readonly string[] | null;
}

/** One network: a router (in `outside`) with a cable to each machine that is plugged in. */
export class TestNetwork {
  readonly name: string;
  readonly outside: Namespace;
  readonly folder: string;
  #dnsmasq: ChildProcess | null = null;
  readonly #options: NetworkOptions;

  private constructor(resources: Resources, outside: Namespace, options: NetworkOptions) {
    this.name = `n${randomBytes(3).toString('hex')}`;
    this.outside = outside;
    this.folder = resources.tempDir('durantic-network-');
    this.#options = options;
  }

  /** A bridge in `outside`; machines are plugged into it. */
  static async create(resources: Resources, outside: Namespace, options: NetworkOptions): Promise<TestNetwork> {
    const network = new TestNetwork(resources, outside, options);
    await outside.ip('link', 'add', network.name, 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0');
    await outside.ip('link', 'set', network.name, 'up');
    for (const address of options.addresses) {
      await outside.ip('address', 'add', address, 'dev', network.name, ...(address.includes(':') ? ['nodad'] : []));
    }
    await network.start();
    return network;
  }

  /** Name of the router's end of the machine's cable. */
  cableOf(device: string): string {
    return `${this.name}-${device}`;
  }

  /** Connects a new device of a machine, with the carrier on or off. */
  async plug(machine: Namespace, device: string, options: { carrier?: boolean; mac?: string } = {}): Promise<void> {
    const cable = this.cableOf(device);
    const mac = options.mac === undefined ? [] : ['address', options.mac];
    const peer = ['peer', 'name', device, ...mac, 'netns', machine.name];
    await this.outside.ip('link', 'add', cable, 'type', 'veth', ...peer);
    await this.outside.ip('link', 'set', cable, 'master', this.name);
    if (options.carrier !== false) await this.setCarrier(device, true);
  }

  async setCarrier(device: string, isOn: boolean): Promise<void> {
    await this.outside.ip('link', 'set', this.cableOf(device), isOn ? 'up' : 'down');
  }

  /** Starts DHCP, advertisements and names, with other lines than before if they are given. */
  async start(lines = this.#options.dnsmasq): Promise<void> {
    if (lines === null) return;
    await this.stop();
    const file = join(this.folder, 'dnsmasq.conf');
    const log = join(this.folder, 'dnsmasq.log');
    const common = [
      'no-resolv',
      'no-hosts',
      'no-ping',
      'user=root',
      'bind-interfaces',
      'dhcp-authoritative',
      'log-dhcp',
    ];
    const own = [`interface=${this.name}`, 'except-interface=lo', `dhcp-leasefile=${this.leaseFile}`];
    writeFileSync(file, `${[...common, ...own, `pid-file=`, ...lines].join('\n')}\n`);
    writeFileSync(log, '');
    this.#dnsmasq = this.outside.spawn(['dnsmasq', '-k', '-C', file, `--log-facility=${log}`]);
    await waitFor('dnsmasq to serve', () => readFileSync(log, 'utf8').includes('started'), { timeoutMs: 5000 });
  }

  async stop(): Promise<void> {
    const child = this.#dnsmasq;
    this.#dnsmasq = null;
    if (child === null) return;
    child.kill('SIGKILL');
    await waitFor('dnsmasq to end', () => child.exitCode !== null || child.signalCode !== null, { timeoutMs: 5000 });
  }

  get leaseFile(): string {
    return join(this.folder, 'leases');
  }

  /** Lines of dnsmasq's lease file: expiry, MAC address, address, hostname, client identifier. */
  leases(): string[] {
    return existsSync(this.leaseFile) ? readFileSync(this.leaseFile, 'utf8').trim().split('\n') : [];
  }

  log(): string {
    return readFileSync(join(this.folder, 'dnsmasq.log'), 'utf8');
  }
}

export interface OutsideServer {
  readonly namespace: Namespace;
  readonly pin: string;
  /** `https://10.0.0.1:8443`; also `https://server.test:8443` and `https://[2001:db8::1]:8443`. */
  readonly url: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** The real server in a namespace of its own, at 10.0.0.1 and 2001:db8::1, with forwarding to the networks there. */
export async function startOutsideServer(resources: Resources): Promise<OutsideServer> {
  const namespace = await Namespace.create(resources, 'outside');
  await namespace.ip('address', 'add', '10.0.0.1/32', 'dev', 'lo');
  await namespace.ip('address', 'add', '2001:db8::1/128', 'dev', 'lo');
  const dataDir = join(resources.tempDir(), 'data');
  const urls = ['https://10.0.0.1:8443', 'https://server.test:8443', 'https://[2001:db8::1]:8443'];
  const flags = ['--data-dir', dataDir, '--listen', '[::]:8443', ...urls.flatMap((url) => ['--public-url', url])];
  const node = [join(repoDir, 'node_modules/.bin/node'), '--disable-warning=ExperimentalWarning'];
  let child: ChildProcess | null = null;
  let output = '';
  const start = async (): Promise<void> => {
    output = '';
    child = namespace.spawn([...node, join(repoDir, 'cli/main.ts'), 'server', 'run', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk));
    await waitFor('the server to be ready', () => output.includes(' is ready\n'), { timeoutMs: 30_000 });
  };
  const stop = async (): Promise<void> => {
    const running = child;
    running?.kill('SIGKILL');
    await waitFor('the server to end', () => running?.signalCode != null || running?.exitCode != null);
  };
  await start();
  const pin = /sha256:[0-9a-f]{64}/.exec(output)?.[0] ?? '';
  return { namespace, pin, url: urls[0] ?? '', start, stop };
}
