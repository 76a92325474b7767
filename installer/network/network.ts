import type { LinkDescription } from '../../agent/rootfs/network-config-from-link.ts';
import type { KernelParameters } from '../../protocol/kernel-parameters.ts';
import type { LinkReport } from '../state/installer-events.ts';

/** What network bring-up reads of the kernel command line. */
export type NetworkParameters = Pick<
  KernelParameters,
  'interface' | 'vlan' | 'addresses' | 'nameservers' | 'linkTimeoutSeconds' | 'bootMac'
>;

/** One way out of the machine, as a probe uses it: never another link's. */
export interface Route {
  readonly name: string;
  /** Local addresses to connect from; null where the link has none of that family. */
  readonly localAddress4: string | null;
  readonly localAddress6: string | null;
  readonly nameservers: readonly string[];
  /** Tried behind a name that has no dot. */
  readonly searchDomains: readonly string[];
  /** Empty: only the link's own network can be reached. */
  readonly gateways: readonly string[];
}

/**
 * Does the server answer by this link? Resolves when it does; throws the ProvisionError whose message becomes the link's
 * `detail`. Called again and again, every few seconds, while it fails.
 */
export type Probe = (route: Route, signal: AbortSignal) => Promise<void>;

export interface NetworkOptions {
  readonly parameters: NetworkParameters;
  readonly onLink: (link: LinkReport) => void;
  readonly onLinkGone: (name: string) => void;
  /** A link has won, or the one that had won is lost (null) and the search goes on by itself. */
  readonly onWorkingLink: (link: WorkingLink | null) => void;
  readonly signal: AbortSignal;
}

export interface WorkingLink {
  readonly report: LinkReport;
  /** For the installed system's network-config. */
  readonly description: LinkDescription;
}

/** All links at once; the first one that reaches the server wins, then has the default route and /etc/resolv.conf. */
export interface Network extends AsyncDisposable {
  /** Looks for the server with this probe from now on; null: links come up and wait (no server is known yet). */
  setProbe(probe: Probe | null): void;
  /** The winner; waits for it, and while it is in doubt. */
  working(signal: AbortSignal): Promise<WorkingLink>;
  /** The server was lost: probes the winner again, and searches anew when it fails. */
  doubt(): void;
}
