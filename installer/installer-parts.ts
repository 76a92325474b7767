import type { LeaveBy } from '../agent/boot/reboot.ts';
import type { DiskFacts } from '../agent/disk/types.ts';
import type { HardwareOptions } from '../agent/hardware/collect-facts.ts';
import type { SetClock } from '../agent/identity/fetch-server-ca.ts';
import type { LinkTimings } from '../agent/link/run-link.ts';
import type { EndpointConfig } from '../agent/link/server-endpoint.ts';
import type { KernelParameters } from '../protocol/kernel-parameters.ts';
import type { CommandTimings } from './commands/installer-context.ts';
import type { ProbeClock } from './enrolment/belong-to-server.ts';
import type { EnrolTimings } from './enrolment/enrol-machine.ts';
import type { Network, NetworkOptions, Probe } from './network/network.ts';
import type { InstallerEvent } from './state/installer-events.ts';

/** What a display is to the installer: it is shown every event. */
export interface InstallerDisplay extends AsyncDisposable {
  show(event: InstallerEvent): void;
}

/** What the installer is put together from; tests put in parts of their own. */
export interface InstallerParts {
  readonly openDisplay: (options: {
    readonly choice: KernelParameters['console'];
    readonly onAnswer: (text: string) => void;
    readonly signal: AbortSignal;
  }) => Promise<InstallerDisplay>;
  readonly startNetwork: (options: NetworkOptions) => Promise<Network>;
  readonly probeOf: (server: EndpointConfig, clock: ProbeClock) => Probe;
  /** Takes away what an installer before this one has left when it was killed; looks for it at once. */
  readonly removeLeftovers: (say: (text: string) => void, signal: AbortSignal) => Promise<void>;
  /** Watchdog and remote shell; goes on until the signal is aborted. */
  readonly supervise: (options: SuperviseOptions) => Promise<void>;
  readonly listDisks: () => Promise<readonly DiskFacts[]>;
  readonly setClock: SetClock;
  /** Leaves the running system; throws when the machine stays. */
  readonly leave: (how: LeaveBy, signal: AbortSignal) => Promise<void>;
}

export interface SuperviseOptions {
  readonly parameters: KernelParameters;
  readonly emit: (event: InstallerEvent) => void;
  readonly signal: AbortSignal;
}

/** Where things lie in the installer. */
export interface InstallerPlaces {
  readonly commandLineFile: string;
  /** What an old system has handed over. */
  readonly carriedDir: string;
  readonly stateDir: string;
  readonly runDir: string;
}

export const installerPlaces: InstallerPlaces = {
  commandLineFile: '/proc/cmdline',
  carriedDir: '/durantic/carried',
  stateDir: '/var/lib/durantic',
  runDir: '/run/durantic',
};

/** How long things take, for tests. */
export interface InstallerTimings {
  readonly enrol?: EnrolTimings;
  readonly link?: LinkTimings;
  readonly command?: CommandTimings;
  /** How long the list of disks has to be the same before it is searched; default 2 s. */
  readonly diskQuietMs?: number;
  /** How long that, or the first disk, is waited for at most; default 15 s. */
  readonly diskLongestMs?: number;
  /** How long the installation medium is waited for where no server is known; default 10 s. */
  readonly mediumWaitMs?: number;
}

export interface RunInstallerOptions {
  /** Aborted when the machine goes down. */
  readonly signal: AbortSignal;
  readonly parts?: Partial<InstallerParts>;
  readonly places?: Partial<InstallerPlaces>;
  readonly hardware?: HardwareOptions;
  readonly agentBundle?: string;
  readonly timings?: InstallerTimings;
}
