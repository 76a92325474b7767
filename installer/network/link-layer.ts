import { type LinkConfiguration, linkConfiguration, noConfiguration } from './link-configuration.ts';
import type { LinkIdentity } from './link-identity.ts';
import { LinkTable, learnedRoutes6, type RouteLine, routes4, staticRoutes6 } from './link-routes.ts';
import { type Learned, LinkSetup, nothingLearned } from './link-setup.ts';
import type { NetworkSystem } from './network-system.ts';
import { addressRemoval, prepareDevice } from './prepare-device.ts';
import type { KernelAddress, KernelLink } from './read-kernel-links.ts';
import type { SourceRules } from './source-rules.ts';

/** Numbers of the links' routing tables: far from those that people use. */
const firstTable = 73_000_000;

export interface LinkLayerOptions {
  readonly system: NetworkSystem;
  readonly rules: SourceRules;
  readonly onChange: () => void;
}

/**
 * What one link has: its device, addresses and routes. It has addresses from the coming of the carrier to its going; its
 * routes are in a table of its own, and in the main table while it is the working link.
 */
export class LinkLayer {
  readonly tableId: string;
  readonly #identity: LinkIdentity;
  readonly #system: NetworkSystem;
  readonly #rules: SourceRules;
  readonly #onChange: () => void;
  readonly #table: LinkTable;
  readonly #mainTable: LinkTable;
  #isPrepared = false;
  #isReleased = false;
  /** It has had addresses. */
  #isDirty = false;
  #routes6: { readonly key: string; readonly lines: readonly RouteLine[] } = { key: '', lines: [] };
  #setup: LinkSetup | null = null;
  #learned: Learned = nothingLearned;
  #configuration: LinkConfiguration = noConfiguration;
  #carrierChangedMs = performance.now();
  #askedMs = performance.now();
  #hadCarrier = false;

  constructor(identity: LinkIdentity, { system, rules, onChange }: LinkLayerOptions) {
    this.#identity = identity;
    this.#system = system;
    this.#rules = rules;
    this.#onChange = onChange;
    this.tableId = String(firstTable + identity.hardware.index);
    this.#table = new LinkTable(identity.device, this.tableId);
    this.#mainTable = new LinkTable(identity.device, 'main');
  }

  /** It has or may have addresses and routes. */
  get isDirty(): boolean {
    return this.#isDirty;
  }

  get isPrepared(): boolean {
    return this.#isPrepared;
  }

  /** True while there is a carrier. */
  get isUp(): boolean {
    return this.#setup !== null;
  }

  get hadCarrier(): boolean {
    return this.#hadCarrier;
  }

  /** Milliseconds since the carrier came or went. */
  get sinceCarrierMs(): number {
    return performance.now() - this.#carrierChangedMs;
  }

  /** Milliseconds since the network was asked for addresses last. */
  get sinceAskedMs(): number {
    return performance.now() - this.#askedMs;
  }

  get learned(): Learned {
    return this.#learned;
  }

  get configuration(): LinkConfiguration {
    return this.#configuration;
  }

  /** Switches the device on. @throws ProvisionError `tool_missing`, `tool_failed`, `aborted`. */
  async prepare(signal: AbortSignal): Promise<void> {
    const { plan, device, vlanId, hardware } = this.#identity;
    if (plan === null) return;
    const { procFolder } = this.#system;
    await prepareDevice({ link: hardware, device, vlanId, plan, procFolder }, signal);
    this.#isPrepared = true;
    this.#carrierChangedMs = performance.now();
  }

  /**
   * Follows the carrier and what the network tells.
   * @param isWorking Keeps what it has over a short loss of the carrier, and its routes are the machine's.
   */
  async follow(kernel: KernelLink, isWorking: boolean, signal: AbortSignal): Promise<void> {
    const { plan } = this.#identity;
    if (plan === null) return;
    this.#isReleased = false;
    if (kernel.hasCarrier !== this.isUp) {
      this.#carrierChangedMs = performance.now();
      await this.#end();
      if (!isWorking) await this.#forget(signal);
      this.#hadCarrier ||= kernel.hasCarrier;
      if (kernel.hasCarrier) this.#begin(kernel, { keepsInitial: false });
    }
    this.#learned = this.#setup?.learned ?? this.#learned;
    this.#configuration = linkConfiguration(plan, kernel, this.#learned);
    if (!this.isUp) return;
    // The kernel refuses routes that name an address as source before it has it, and drops them with it.
    const has = ({ address }: { readonly address: string }): boolean =>
      kernel.addresses.some((own) => own.address === address);
    const { lease4 } = this.#learned;
    const lines4 = routes4(plan.statics.filter(has), lease4 !== null && has(lease4) ? lease4 : null);
    const lines6 = staticRoutes6(plan.statics);
    const addresses = usableAddresses(kernel);
    const learned6 = await this.#learnRoutes6(kernel, signal);
    // Routes that advertisements named are in the main table already: dhcpcd puts them there.
    await Promise.all([
      this.#route({ family: 4, addresses, lines: lines4, mainLines: isWorking ? lines4 : null }, signal),
      this.#route(
        { family: 6, addresses, lines: [...learned6, ...lines6], mainLines: isWorking ? lines6 : null },
        signal,
      ),
    ]);
  }

  /** Sets routes and source rules of one family with one start of `ip`, or with none when all is as it should be. */
  async #route({ family, addresses, lines, mainLines }: FamilyRoutes, signal: AbortSignal): Promise<void> {
    const own = addresses.flatMap((entry) => (entry.family === family ? [entry.address] : []));
    // Nothing leads to the table without an address, and a kernel without IPv6 has none.
    if (own.length === 0 && !this.#table.has(family)) return;
    const changes = [
      this.#table.change(family, lines),
      ...(mainLines === null ? [] : [this.#mainTable.change(family, mainLines)]),
    ];
    const routes = changes.flatMap(({ commands }) => commands);
    await this.#rules.claim({ family, addresses: own, table: this.tableId, routes }, signal);
    for (const { confirm } of changes) confirm();
  }

  /**
   * Asks the network again, as with a new cable: nothing tells when a switch's port was put into another VLAN, or what a DHCP
   * server says was corrected. What the link has counts until somebody answers: connections may use it.
   */
  async askAgain(kernel: KernelLink): Promise<void> {
    if (this.#setup === null) return;
    await this.#end();
    this.#begin(kernel, { keepsInitial: true });
  }

  /** Stops asking and takes addresses and routes away; the device stays on. */
  async release(signal: AbortSignal): Promise<void> {
    if (this.#isReleased) return;
    await this.#end();
    await this.#forget(signal);
    this.#configuration = noConfiguration;
    this.#isReleased = true;
  }

  /** Stops asking and leaves everything as it is. */
  async leave(): Promise<void> {
    await this.#end();
  }

  #begin(kernel: KernelLink, { keepsInitial }: { readonly keepsInitial: boolean }): void {
    const { plan, device } = this.#identity;
    if (plan === null) return;
    this.#isDirty = true;
    this.#askedMs = performance.now();
    this.#setup = new LinkSetup({
      device,
      macAddress: kernel.macAddress,
      largestMtuBytes: kernel.largestMtuBytes,
      plan,
      system: this.#system,
      initial: this.#learned,
      keepsInitial,
      onChange: this.#onChange,
    });
  }

  /** Routes come and go with addresses and advertisements. */
  async #learnRoutes6(kernel: KernelLink, signal: AbortSignal): Promise<readonly RouteLine[]> {
    const addresses = usableAddresses(kernel).filter(({ family }) => family === 6);
    if (addresses.length === 0) return [];
    const key = JSON.stringify([addresses, this.#setup?.adviceCount]);
    if (key !== this.#routes6.key) this.#routes6 = { key, lines: await learnedRoutes6(kernel.name, signal) };
    return this.#routes6.lines;
  }

  async #end(): Promise<void> {
    const setup = this.#setup;
    this.#setup = null;
    await setup?.[Symbol.asyncDispose]();
  }

  async #forget(signal: AbortSignal): Promise<void> {
    this.#learned = nothingLearned;
    this.#routes6 = { key: '', lines: [] };
    if (!this.#isDirty) return;
    const clear = async (family: 4 | 6): Promise<void> => {
      const removals = [this.#mainTable.removal(family), this.#table.removal(family)];
      const routes = removals.flatMap(({ commands }) => commands);
      const addresses = addressRemoval(family, this.#identity.device);
      await this.#rules.release(family, this.tableId, [...routes, ...addresses], signal);
      for (const { confirm } of removals) confirm();
    };
    await Promise.all([clear(4), clear(6)]);
    this.#isDirty = false;
  }
}

interface FamilyRoutes {
  readonly family: 4 | 6;
  readonly addresses: readonly KernelAddress[];
  readonly lines: readonly RouteLine[];
  /** In the machine's own table too; null: not there. */
  readonly mainLines: readonly RouteLine[] | null;
}

/** Link-local ones need no rule: their zone names the link. */
function usableAddresses({ addresses }: KernelLink): KernelAddress[] {
  return addresses.filter(({ isLinkLocal, isTentative, isDuplicate }) => !isLinkLocal && !isTentative && !isDuplicate);
}
