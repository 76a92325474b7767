import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import type { NetworkParameters, WorkingLink } from '../../installer/network/network.ts';
import type { StartNetworkOptions } from '../../installer/network/start-network.ts';
import type { LinkReport } from '../../installer/state/installer-events.ts';
import { parseKernelParameters } from '../../protocol/kernel-parameters.ts';
import { type Resources, waitFor } from '../resources.ts';
import type { ProbeConfig } from './network-child-probe.ts';
import { Namespace } from './network-namespaces.ts';

export interface NetworkChildConfig {
  readonly parameters: NetworkParameters;
  readonly system: NonNullable<StartNetworkOptions['system']>;
  readonly probe: ProbeConfig | null;
}

type Line =
  | { readonly kind: 'link'; readonly atMs: number; readonly link: LinkReport }
  | { readonly kind: 'gone'; readonly atMs: number; readonly name: string }
  | { readonly kind: 'working' | 'first'; readonly atMs: number; readonly working: WorkingLink | null }
  | { readonly kind: 'clock' | 'answered' | 'ended'; readonly atMs: number }
  | { readonly kind: 'error'; readonly atMs: number; readonly message: string };

const repoDir = new URL('../../', import.meta.url).pathname;

/** dhcpcd keeps its state in fixed folders: each machine has its own. */
const wrapper = `mkdir -p /run/dhcpcd /var/lib/dhcpcd
mount -t tmpfs tmpfs /run/dhcpcd && mount -t tmpfs tmpfs /var/lib/dhcpcd && exec "$@"`;

/** A machine (a network namespace) in which the installer's network bring-up runs as a process of its own. */
export class InstallerMachine {
  readonly namespace: Namespace;
  readonly lines: Line[] = [];
  readonly #folder: string;
  #child: ChildProcess | null = null;
  #stderr = '';

  private constructor(resources: Resources, namespace: Namespace) {
    this.namespace = namespace;
    this.#folder = resources.tempDir('durantic-machine-');
    mkdirSync(join(this.#folder, 'sys/class/net'), { recursive: true });
  }

  static async create(resources: Resources): Promise<InstallerMachine> {
    return new InstallerMachine(resources, await Namespace.create(resources, 'machine'));
  }

  /** Makes a device of the namespace look like hardware; software made it, and sysfs would say so. */
  describe(device: string, options: { driver?: string; usb?: boolean } = {}): void {
    const root = join(this.#folder, 'sys');
    const bus = options.usb === true ? 'devices/pci0000:00/0000:00:14.0/usb1/1-3' : 'devices/pci0000:00';
    const hardware = join(root, bus, `card-${device}`);
    mkdirSync(hardware, { recursive: true });
    symlinkSync(`../../drivers/${options.driver ?? 'virtio_net'}`, join(hardware, 'driver'));
    mkdirSync(join(root, 'class/net', device));
    symlinkSync(hardware, join(root, 'class/net', device, 'device'));
  }

  get resolvConf(): string {
    return readFileSync(join(this.#folder, 'resolv.conf'), 'utf8');
  }

  /** Starts the bring-up. @param commandLine The kernel's. */
  start(
    commandLine: string,
    probe: ProbeConfig | null,
    times: NonNullable<StartNetworkOptions['system']>['times'] = {},
  ): void {
    const config: NetworkChildConfig = {
      parameters: parseKernelParameters(commandLine).parameters,
      probe,
      system: {
        sysFolder: join(this.#folder, 'sys'),
        runtimeFolder: join(this.#folder, 'run'),
        resolvConf: join(this.#folder, 'resolv.conf'),
        times: {
          pollMs: 300,
          probeRetryMs: 400,
          conflictRetryMs: 500,
          firstComplaintMs: 1000,
          carrierPatienceMs: 1000,
          ...times,
        },
      },
    };
    const file = join(this.#folder, 'config.json');
    writeFileSync(file, JSON.stringify(config));
    const node = [join(repoDir, 'node_modules/.bin/node'), '--disable-warning=ExperimentalWarning'];
    const child = this.namespace.spawn(
      ['sh', '-c', wrapper, 'sh', ...node, join(repoDir, 'test/builders/network-child.ts'), file],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    this.#child = child;
    let rest = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      const parts = `${rest}${chunk.toString()}`.split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) this.lines.push(JSON.parse(part) as Line);
    });
    child.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
  }

  say(word: string): void {
    this.#child?.stdin?.write(`${word}\n`);
  }

  /** Ends the bring-up as the installer does, and waits for it. */
  async stop(): Promise<void> {
    this.say('stop');
    await this.until('the bring-up to end', () => this.lines.some(({ kind }) => kind === 'ended'));
  }

  /** Ends the bring-up as a crash does. */
  kill(): void {
    this.#child?.kill('SIGKILL');
    this.lines.length = 0;
  }

  /** Programs that run in the namespace. */
  async pids(): Promise<string[]> {
    const { stdout } = await runCommand('ip', ['netns', 'pids', this.namespace.name]);
    return stdout.split('\n').filter((line) => line !== '');
  }

  /** The last report of a link. */
  link(name: string): LinkReport | undefined {
    return this.reports(name).at(-1);
  }

  reports(name: string): LinkReport[] {
    return this.lines.flatMap((line) => (line.kind === 'link' && line.link.name === name ? [line.link] : []));
  }

  /** The working link now; null when there is none. */
  get working(): WorkingLink | null {
    const last = this.lines.findLast((line) => line.kind === 'working');
    return last?.kind === 'working' ? last.working : null;
  }

  async untilWorking(name: string, timeoutMs = 15_000): Promise<WorkingLink> {
    return await this.until(
      `${name} to work`,
      () => {
        const { working } = this;
        return working?.report.name === name ? working : undefined;
      },
      timeoutMs,
    );
  }

  /** Waits until a link's report says this. */
  async untilLink(
    name: string,
    expected: { stage: LinkReport['stage']; detail?: RegExp },
    timeoutMs = 15_000,
  ): Promise<LinkReport> {
    return await this.until(
      `${name} to be ${expected.stage} (${expected.detail ?? ''})`,
      () => {
        const link = this.link(name);
        if (link?.stage !== expected.stage) return undefined;
        return expected.detail === undefined || expected.detail.test(link.detail ?? '') ? link : undefined;
      },
      timeoutMs,
    );
  }

  async until<T>(what: string, condition: () => T | undefined | false, timeoutMs = 15_000): Promise<T> {
    try {
      return await waitFor(what, condition, { timeoutMs, intervalMs: 20 });
    } catch (cause) {
      const said = this.lines.map((line) => JSON.stringify(line)).join('\n');
      throw new Error(`waited in vain for ${what}; the machine said:\n${said}\n${this.#stderr}`, { cause });
    }
  }
}
