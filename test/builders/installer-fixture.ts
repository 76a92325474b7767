import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { InstallerParts, RunInstallerOptions } from '../../installer/installer-parts.ts';
import type { Network, NetworkOptions, Probe, WorkingLink } from '../../installer/network/network.ts';
import { probeOf } from '../../installer/production-parts.ts';
import { runInstaller } from '../../installer/run-installer.ts';
import type { InstallerEvent } from '../../installer/state/installer-events.ts';
import { type Resources, waitFor } from '../resources.ts';
import { fastTimings } from './agent-fixture.ts';

type EventOf<K extends InstallerEvent['kind']> = Extract<InstallerEvent, { kind: K }>;

/** Pauses of an installer that a test can wait for. */
export const fastInstaller = {
  enrol: {
    ...{ firstDelayMs: 5, longestDelayMs: 40, refusedFirstMs: 30, refusedLongestMs: 60 },
    ...{ deniedMs: 50, secondMs: 5 },
  },
  link: fastTimings,
  command: { farewellMs: 5000, diskWaitMs: 0 },
  diskQuietMs: 0,
  diskLongestMs: 0,
  mediumWaitMs: 0,
} as const;

/** The link that a scripted network is made of. */
export const testLink: WorkingLink = {
  report: {
    ...{ name: 'eth7', macAddress: '52:54:00:ab:cd:ef', driver: 'virtio_net', isUsbGadget: false, isBootLink: true },
    ...{ isExcluded: false, stage: 'reached', speedMbps: 1000, addresses: ['192.0.2.7/24'], gateways: ['192.0.2.1'] },
    ...{ sinceMs: 0, detail: null },
  },
  description: {
    ...{ name: 'eth7', macAddress: '52:54:00:ab:cd:ef', vlanId: null, dhcp4: true, addresses: [], gateways: [] },
    ...{ nameservers: [], searchDomains: [], mtuBytes: null },
  },
};

/** A network with one link that is always up; what it says of the server is what the installer's probe says. */
export class ScriptedNetwork implements Network {
  readonly #options: NetworkOptions;
  /** How often the installer has said that it lost the server. */
  doubts = 0;
  #probe: Probe | null = null;
  #changed = Promise.withResolvers<void>();

  constructor(options: NetworkOptions) {
    this.#options = options;
    options.onLink({ ...testLink.report, stage: 'probing' });
  }

  setProbe(probe: Probe | null): void {
    this.#probe = probe;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  async working(signal: AbortSignal): Promise<WorkingLink> {
    const route = {
      name: 'eth7',
      localAddress4: '127.0.0.1',
      localAddress6: null,
      nameservers: [],
      searchDomains: [],
      gateways: [],
    };
    for (;;) {
      signal.throwIfAborted();
      try {
        if (this.#probe !== null) {
          await this.#probe(route, signal);
          this.#options.onWorkingLink(testLink);
          return testLink;
        }
      } catch (error) {
        const detail = error instanceof Error ? error.message : String(error);
        this.#options.onLink({ ...testLink.report, stage: 'failed', detail });
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  doubt(): void {
    this.doubts += 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

export interface StartedInstaller {
  readonly events: InstallerEvent[];
  /** What somebody types at a console. */
  readonly answer: (text: string) => void;
  readonly places: { readonly carriedDir: string; readonly stateDir: string; readonly runDir: string };
  readonly network: () => ScriptedNetwork;
  /** How the machine was left, in order. */
  readonly left: string[];
  /** Settles with the installer. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
  /** The first event of a kind that is as wanted, from a place in the list on. */
  event<K extends InstallerEvent['kind']>(
    kind: K,
    isWanted?: (event: EventOf<K>) => boolean,
    options?: { readonly after?: number; readonly timeoutMs?: number },
  ): Promise<EventOf<K>>;
  /** The trouble with this code. */
  trouble(code: string, after?: number): Promise<NonNullable<EventOf<'trouble'>['trouble']>>;
}

export interface StartInstallerOptions extends Partial<Omit<RunInstallerOptions, 'parts' | 'places'>> {
  readonly commandLine: string;
  readonly parts?: Partial<InstallerParts>;
  readonly dir?: string;
}

/** The installer in this process, with a network that is up, consoles that a test reads, and no disks. */
export async function startInstaller(resources: Resources, options: StartInstallerOptions): Promise<StartedInstaller> {
  const { commandLine, parts, dir = resources.tempDir('durantic-installer-'), ...rest } = options;
  const commandLineFile = join(dir, 'cmdline');
  writeFileSync(commandLineFile, `${commandLine}\n`);
  const places = { carriedDir: join(dir, 'carried'), stateDir: join(dir, 'state'), runDir: join(dir, 'run') };
  mkdirSync(places.runDir, { recursive: true });
  const controller = new AbortController();
  const events: InstallerEvent[] = [];
  const left: string[] = [];
  let answer: (text: string) => void = () => undefined;
  let network: ScriptedNetwork | undefined;
  const ended = runInstaller({
    timings: fastInstaller,
    ...rest,
    signal: controller.signal,
    places: { ...places, commandLineFile },
    parts: {
      openDisplay: async ({ onAnswer }) => {
        answer = onAnswer;
        return { show: (event) => void events.push(event), [Symbol.asyncDispose]: async () => undefined };
      },
      startNetwork: async (given) => {
        network = new ScriptedNetwork(given);
        return network;
      },
      probeOf,
      removeLeftovers: async () => undefined,
      supervise: async () => undefined,
      listDisks: async () => [],
      setClock: null,
      leave: async (how) => void left.push(how),
      ...parts,
    },
  });
  ended.catch(() => undefined);
  const stop = async (): Promise<void> => {
    controller.abort();
    await ended;
  };
  resources.defer('stop an installer', async () => {
    controller.abort();
    await ended.catch(() => undefined);
  });
  const event: StartedInstaller['event'] = async (
    kind,
    isWanted = () => true,
    { after = 0, timeoutMs = 20_000 } = {},
  ) =>
    await waitFor(
      `an event ${kind}; there were: ${'\n'}`,
      () =>
        events
          .slice(after)
          .find((each): each is EventOf<typeof kind> => each.kind === kind && isWanted(each as EventOf<typeof kind>)),
      { timeoutMs, intervalMs: 2 },
    ).catch((cause: unknown) => {
      throw new Error(`no ${kind} as wanted among:\n${events.map((each) => JSON.stringify(each)).join('\n')}`, {
        cause,
      });
    });
  await Promise.race([event('started'), ended]);
  return {
    ...{ events, places, left, ended, stop, event },
    answer: (text) => answer(text),
    network: () => {
      if (network === undefined) throw new Error('the network was not started');
      return network;
    },
    trouble: async (code, after = 0) => {
      const found = await event('trouble', ({ trouble }) => trouble?.code === code, { after });
      if (found.trouble === null) throw new Error('unreachable');
      return found.trouble;
    },
  };
}
