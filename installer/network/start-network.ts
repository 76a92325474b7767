import type { Network, NetworkOptions } from './network.ts';
import { NetworkSearch } from './network-search.ts';
import { defaultNetworkSystem, type NetworkSystem, type NetworkTimes } from './network-system.ts';

export interface StartNetworkOptions extends NetworkOptions {
  /** For tests; default: the machine's own. */
  readonly system?: Partial<Omit<NetworkSystem, 'times'>> & { readonly times?: Partial<NetworkTimes> };
}

/**
 * Brings up all Ethernet links at once and finds the one by which the server answers (protocol.md, "Network bring-up in the
 * installer"), in this network namespace, until it is disposed of or the signal is aborted. Addresses and routes stay then.
 * Needs the programs ip, busybox (udhcpc, arping), dhcpcd, setpriv and env.
 */
export function startNetwork({ system, ...options }: StartNetworkOptions): Network {
  const times = { ...defaultNetworkSystem.times, ...system?.times };
  return new NetworkSearch(options, { ...defaultNetworkSystem, ...system, times });
}
