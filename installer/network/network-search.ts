import { setMaxListeners } from 'node:events';
import { abortError } from '../../core/base/abort.ts';
import { asProvisionError, type ProvisionError } from '../../core/base/errors.ts';
import { streamCommand } from '../../core/base/stream-command.ts';
import { AddressTurns } from './address-turns.ts';
import { writeClientHook } from './client-hook.ts';
import { describeDevice } from './describe-device.ts';
import { leadOver } from './lead.ts';
import { describeLink } from './link-configuration.ts';
import { identifyLink } from './link-identity.ts';
import { type LinkHost, LinkWorker } from './link-worker.ts';
import type { Network, NetworkOptions, Probe, WorkingLink } from './network.ts';
import type { NetworkSystem } from './network-system.ts';
import { type KernelLink, readKernelLinks } from './read-kernel-links.ts';
import { RouteFence } from './route-fence.ts';
import { SourceRules } from './source-rules.ts';
import { Wake } from './wake.ts';
import { writeResolvConf } from './write-resolv-conf.ts';

/** All links of the machine, those that come later too, and which of them is the way to the server. */
export class NetworkSearch implements Network, LinkHost {
  readonly #options: NetworkOptions;
  readonly #system: NetworkSystem;
  readonly #workers = new Map<string, LinkWorker>();
  readonly #rules = new SourceRules();
  readonly #turns = new AddressTurns(this.#rules);
  readonly #fence = new RouteFence(this.#rules);
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  readonly #wake = new Wake();
  readonly #loop: Promise<void>;
  readonly #reported = new Map<string, string>();
  readonly #waiting = new Set<() => void>();
  #probe: Probe | null = null;
  #searchingSinceMs = performance.now();
  #winner: LinkWorker | null = null;
  /** Of the search before: it is asked again before another takes its place. */
  #formerWinner: LinkWorker | null = null;
  #working: { readonly link: WorkingLink; readonly key: string } | null = null;
  /** The working link is being asked again: nobody is told of it until it has answered. */
  #isInDoubt = false;
  #fatal: ProvisionError | null = null;

  constructor(options: NetworkOptions, system: NetworkSystem) {
    this.#options = options;
    this.#system = system;
    this.#signal = AbortSignal.any([options.signal, this.#ending.signal]);
    setMaxListeners(0, this.#signal);
    this.#loop = this.#run();
  }

  get probe(): Probe | null {
    return this.#probe;
  }

  setProbe(probe: Probe | null): void {
    this.#probe = probe;
    this.#searchingSinceMs = performance.now();
    this.#isInDoubt = this.#winner !== null;
    for (const worker of this.#workers.values()) worker.doubt();
  }

  async working(signal: AbortSignal): Promise<WorkingLink> {
    for (;;) {
      const either = AbortSignal.any([signal, this.#signal]);
      if (either.aborted) throw abortError(either);
      if (this.#fatal !== null) throw this.#fatal;
      if (this.#working !== null && !this.#isInDoubt) return this.#working.link;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.#waiting.delete(done);
          either.removeEventListener('abort', done);
          resolve();
        };
        this.#waiting.add(done);
        either.addEventListener('abort', done, { once: true });
      });
    }
  }

  doubt(): void {
    this.#isInDoubt = this.#winner !== null;
    this.#winner?.doubt();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#loop;
  }

  waitsFor(link: LinkWorker): string | null {
    const searchingMs = performance.now() - this.#searchingSinceMs;
    return leadOver(link, [...this.#workers.values()], searchingMs, this.#system.times);
  }

  mayWork(link: LinkWorker): boolean {
    if (this.#winner !== null || this.#signal.aborted) return false;
    const former = this.#formerWinner;
    this.#formerWinner = null;
    // A server that was away is back for all links at once: what runs over the former one's addresses should go on.
    if (former !== null && former !== link && former.route !== null) {
      former.doubt();
      return false;
    }
    this.#winner = link;
    for (const other of this.#others(link)) other.rest(`${link.identity.name} reached the server first`);
    return true;
  }

  async works(link: LinkWorker): Promise<void> {
    const { identity, kernel, layer } = link;
    if (link !== this.#winner || identity.plan === null) return;
    const { nameservers, searchDomains } = layer.configuration;
    const description = describeLink(identity, identity.plan, kernel, layer);
    const key = JSON.stringify([layer.configuration, description]);
    if (key === this.#working?.key) return;
    if (this.#working === null) await this.#fenceOff(link);
    writeResolvConf(this.#system.resolvConf, nameservers, searchDomains);
    if (link !== this.#winner) return;
    this.changed(link);
    this.#setWorking({ link: { report: link.report(), description }, key });
  }

  confirmed(link: LinkWorker): void {
    if (link !== this.#winner) return;
    this.#isInDoubt = false;
    this.#wakeWaiting();
  }

  lost(link: LinkWorker): void {
    if (link !== this.#winner) return;
    this.#isInDoubt = false;
    this.#winner = null;
    this.#formerWinner = link;
    this.#searchingSinceMs = performance.now();
    for (const worker of this.#workers.values()) worker.takeUp();
    this.#setWorking(null);
  }

  changed(link: LinkWorker): void {
    if (this.#signal.aborted || this.#workers.get(link.identity.hardware.name) !== link) return;
    const report = link.report();
    const key = JSON.stringify(report);
    if (this.#reported.get(report.name) === key) return;
    this.#reported.set(report.name, key);
    this.#options.onLink(report);
  }

  /** The winner is declared at once, while the others give back what they have. */
  async #fenceOff(link: LinkWorker): Promise<void> {
    const others = this.#others(link).filter(({ layer }) => layer.isDirty);
    if (others.length === 0) return;
    const end = Promise.all(others.map(async (other) => await other.atRest()));
    await this.#fence.close(link.layer.tableId, end, this.#signal);
  }

  #others(link: LinkWorker): LinkWorker[] {
    return [...this.#workers.values()].filter((other) => other !== link);
  }

  #setWorking(working: { readonly link: WorkingLink; readonly key: string } | null): void {
    if (working === null && this.#working === null) return;
    this.#working = working;
    if (!this.#signal.aborted) this.#options.onWorkingLink(working?.link ?? null);
    this.#wakeWaiting();
  }

  #wakeWaiting(): void {
    for (const done of [...this.#waiting]) done();
  }

  async #run(): Promise<void> {
    const signal = this.#signal;
    try {
      writeClientHook(this.#system.runtimeFolder);
      await this.#rules.reset(signal);
      const monitor = this.#ringOnChange(signal);
      while (!signal.aborted) {
        await this.#look(signal);
        await this.#wake.sleep(this.#system.times.pollMs, signal);
      }
      await monitor;
    } catch (cause) {
      if (signal.aborted) return;
      this.#fatal = asProvisionError(cause);
      this.#wakeWaiting();
    } finally {
      await Promise.all([...this.#workers.values()].map(async (worker) => await worker[Symbol.asyncDispose]()));
      this.#workers.clear();
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    try {
      this.#compare(await readKernelLinks(signal));
    } catch (cause) {
      // A link that goes while it is listed makes ip fail; the next look is a second away.
      if (asProvisionError(cause).code !== 'tool_failed') throw cause;
    }
  }

  /** Looks at once when the kernel reports something; looking every second is enough without it. */
  async #ringOnChange(signal: AbortSignal): Promise<void> {
    try {
      const changes = streamCommand('setpriv', ['--pdeathsig', 'TERM', '--', 'ip', 'monitor', 'link', 'address'], {
        signal,
      });
      for await (const _change of changes) this.#wake.ring();
    } catch {
      // Ended with the network, or not there.
    }
  }

  #compare(links: readonly KernelLink[]): void {
    const byName = new Map(links.map((link) => [link.name, link]));
    for (const [name, worker] of this.#workers) {
      const { identity } = worker;
      const hardware = byName.get(name);
      if (hardware === undefined || hardware.index !== identity.hardware.index) this.#remove(name, worker);
      else worker.update(byName.get(identity.device) ?? { ...hardware, hasCarrier: false, addresses: [] });
    }
    for (const link of links) if (!this.#workers.has(link.name)) this.#add(link);
  }

  #add(link: KernelLink): void {
    if (!link.isEthernet || link.hasMaster) return;
    const facts = describeDevice(link.name, this.#system.sysFolder);
    if (facts === null) return;
    const { parameters } = this.#options;
    const identity = identifyLink(link, facts, parameters);
    const patienceMs = parameters.linkTimeoutSeconds * 1000;
    const shared = { host: this, rules: this.#rules, turns: this.#turns, system: this.#system };
    const worker = new LinkWorker({ ...shared, identity, patienceMs });
    this.#workers.set(link.name, worker);
    if (this.#winner !== null) worker.rest(`${this.#winner.identity.name} reached the server first`);
    this.changed(worker);
  }

  #remove(name: string, worker: LinkWorker): void {
    this.#workers.delete(name);
    this.#reported.delete(worker.identity.name);
    if (this.#formerWinner === worker) this.#formerWinner = null;
    this.lost(worker);
    this.#options.onLinkGone(worker.identity.name);
    void worker[Symbol.asyncDispose]();
  }
}
