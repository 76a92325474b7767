import { type LinkConfiguration, linkConfiguration, noConfiguration } from './link-configuration.ts';
import type { LinkIdentity } from './link-identity.ts';
import { LinkTable, learnedRoutes6, type RouteLine, routes4, staticRoutes6 } from './link-routes.ts';
import { type Learned, LinkSetup, nothingLearned } from './link-setup.ts';
import type { NetworkSystem } from './network-system.ts';
import { flushAddresses, prepareDevice } from './prepare-device.ts';
import type { KernelLink } from './read-kernel-links.ts';
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
    await this.#table.set(4, lines4, signal);
    // Not in a kernel without IPv6.
    const hasIpv6 = kernel.addresses.some(({ family }) => family === 6);
    if (hasIpv6) await this.#table.set(6, [...(await this.#learnRoutes6(kernel, signal)), ...lines6], signal);
    if (!isWorking) return;
    await this.#mainTable.set(4, lines4, signal);
    if (hasIpv6) await this.#mainTable.set(6, lines6, signal);
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
    const key = JSON.stringify([kernel.addresses, this.#setup?.adviceCount]);
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
    this.#isDirty = false;
    await this.#rules.release(this.tableId, signal);
    await this.#mainTable.clear(signal);
    await this.#table.clear(signal);
    await flushAddresses(this.#identity.device, signal);
  }
}
