import { asProvisionError } from '../../core/base/errors.ts';
import type { LinkReport } from '../state/installer-events.ts';
import type { AddressTurns } from './address-turns.ts';
import { readSpeed } from './describe-device.ts';
import { routeOf } from './link-configuration.ts';
import type { LinkIdentity } from './link-identity.ts';
import { LinkLayer } from './link-layer.ts';
import { LinkProber } from './link-prober.ts';
import { linkStage, type StageReport } from './link-stage.ts';
import type { Probe, Route } from './network.ts';
import type { NetworkSystem } from './network-system.ts';
import type { KernelLink } from './read-kernel-links.ts';
import type { SourceRules } from './source-rules.ts';
import { Wake } from './wake.ts';

/** What a link asks of whoever holds all links. */
export interface LinkHost {
  readonly probe: Probe | null;
  /** Whom this link leaves the lead to, as a sentence; null when it may probe. */
  waitsFor(link: LinkWorker): string | null;
  /** The server answers by this link; true makes it the working one. */
  mayWork(link: LinkWorker): boolean;
  /** The working link's routes are the machine's; called again whenever something may have changed. */
  works(link: LinkWorker): Promise<void>;
  /** The working link was doubted and does reach the server. */
  confirmed(link: LinkWorker): void;
  /** The working link does not reach the server any more. */
  lost(link: LinkWorker): void;
  changed(link: LinkWorker): void;
}

export interface LinkWorkerOptions {
  readonly identity: LinkIdentity;
  readonly host: LinkHost;
  readonly rules: SourceRules;
  readonly turns: AddressTurns;
  readonly system: NetworkSystem;
  /** How long a link may be silent before that counts as a failure. */
  readonly patienceMs: number;
}

/**
 * One link on its way to the server: switched on, given addresses while it has a carrier, probed. Everything that changes
 * a link happens in its own loop, one after the other.
 */
export class LinkWorker implements AsyncDisposable {
  readonly identity: LinkIdentity;
  readonly layer: LinkLayer;
  readonly #options: LinkWorkerOptions;
  readonly #prober: LinkProber;
  readonly #ending = new AbortController();
  readonly #wake = new Wake();
  readonly #loop: Promise<void>;
  #kernel: KernelLink | null = null;
  #setUpProblem: string | null = null;
  /** Why it rests while another link works; null while it does not. */
  #restReason: string | null = null;
  #atRest = Promise.withResolvers<void>();
  #isWorking = false;
  #isDoubted = false;
  #stage = { stage: '', sinceMs: Date.now() };

  constructor(options: LinkWorkerOptions) {
    const { identity, system, turns } = options;
    this.identity = identity;
    this.#options = options;
    this.layer = new LinkLayer(identity, { system, rules: options.rules, onChange: () => this.#wake.ring() });
    const { probeTimeoutMs: timeoutMs, probeRetryMs: retryMs } = system.times;
    const onEnd = (hasReached: boolean): void => this.#onProbed(hasReached);
    this.#prober = new LinkProber({ turns, table: this.layer.tableId, timeoutMs, retryMs, onEnd });
    this.#loop = this.#run();
  }

  get kernel(): KernelLink {
    return this.#kernel ?? this.identity.hardware;
  }

  /** The way out that this link is; null while it has no address or no carrier. */
  get route(): Route | null {
    return this.layer.isUp ? routeOf(this.identity.name, this.layer.configuration) : null;
  }

  /** The last probe failed, or there is no carrier and was time to get one. */
  get isOut(): boolean {
    return this.#prober.problem !== null || (!this.layer.isUp && this.#isSwitchedOn);
  }

  get #isSwitchedOn(): boolean {
    const { isPrepared, hadCarrier, sinceCarrierMs } = this.layer;
    return isPrepared && (hadCarrier || sinceCarrierMs >= this.#options.system.times.carrierPatienceMs);
  }

  /** What the kernel says now. */
  update(kernel: KernelLink): void {
    this.#kernel = kernel;
    this.#wake.ring();
  }

  /** Another link works: this one gives back what it has and waits to be taken up again. */
  rest(because: string): void {
    if (this.#restReason !== null || this.identity.excludedBecause !== null) return;
    const { stage, detail } = this.#situation();
    const hasReason = stage !== 'probing' || this.identity.isUsbGadget;
    this.#restReason = (hasReason ? detail : null) ?? because;
    this.#isWorking = false;
    this.#atRest = Promise.withResolvers();
    this.#beginAnew();
  }

  /** Resolves when a resting link has given back what it had. */
  async atRest(): Promise<void> {
    if (this.#restReason !== null && !this.#ending.signal.aborted) await this.#atRest.promise;
  }

  /** No link works: goes on. */
  takeUp(): void {
    this.#restReason = null;
    this.#isWorking = false;
    this.#isDoubted = false;
    this.#atRest.resolve();
    this.#wake.ring();
  }

  /** Whether the server can be reached is to be found out anew. */
  doubt(): void {
    this.#isDoubted = this.#isWorking;
    this.#beginAnew();
  }

  report(): LinkReport {
    const { name, driver, isUsbGadget, isBootLink, hardware, excludedBecause } = this.identity;
    const { stage, detail } = this.#situation();
    if (this.#stage.stage !== stage) this.#stage = { stage, sinceMs: Date.now() };
    const { addresses, gateways } = this.layer.configuration;
    return {
      name,
      macAddress: this.kernel.macAddress,
      driver,
      isUsbGadget,
      isBootLink,
      isExcluded: excludedBecause !== null,
      stage,
      speedMbps: this.kernel.hasCarrier ? readSpeed(hardware.name, this.#options.system.sysFolder) : null,
      addresses,
      gateways,
      sinceMs: this.#stage.sinceMs,
      detail,
    };
  }

  /** Ends asking and probing; addresses and routes stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    this.#atRest.resolve();
    await this.#prober.reset();
    await this.#loop;
    await this.layer.leave();
  }

  #situation(): StageReport {
    const { host, system, patienceMs } = this.#options;
    const { layer, identity } = this;
    return linkStage({
      unusedBecause: identity.excludedBecause ?? this.#restReason,
      setUpProblem: this.#setUpProblem,
      hasCarrier: layer.isUp,
      isSwitchedOn: this.#isSwitchedOn,
      plan: identity.plan,
      hasAddress: this.route !== null,
      addressProblem: layer.learned.problem,
      askingMs: layer.sinceAskedMs,
      hasReached: this.#isWorking,
      hasProbe: host.probe !== null,
      probeProblem: this.#prober.problem,
      waitsFor: host.waitsFor(this),
      firstComplaintMs: system.times.firstComplaintMs,
      patienceMs,
    });
  }

  async #run(): Promise<void> {
    const { host, system } = this.#options;
    const { signal } = this.#ending;
    while (!signal.aborted) {
      let pauseMs = system.times.pollMs;
      try {
        await this.#step(signal);
        this.#setUpProblem = null;
      } catch (cause) {
        if (signal.aborted) return;
        this.#setUpProblem = asProvisionError(cause).message;
        pauseMs = system.times.setUpRetryMs;
      }
      host.changed(this);
      await this.#wake.sleep(pauseMs, signal);
    }
  }

  /** Does what is to be done now; called again after every change and every second. */
  async #step(signal: AbortSignal): Promise<void> {
    const { layer } = this;
    const { host, system } = this.#options;
    if (this.identity.excludedBecause !== null) return;
    if (!layer.isPrepared) {
      await layer.prepare(signal);
      // What was seen before says nothing about now.
      this.#kernel = null;
    }
    if (this.#restReason !== null) {
      await layer.release(signal);
      this.#atRest.resolve();
      return;
    }
    if (this.#kernel === null) return;
    const isWorking = this.#isWorking;
    await layer.follow(this.#kernel, isWorking, signal);
    if (isWorking) await this.#work(system.times.carrierGraceMs);
    else if (this.#isAtWrongAddress()) await layer.askAgain(this.#kernel);
    else if (host.probe !== null && this.route !== null && host.waitsFor(this) === null) {
      this.#prober.start(host.probe, this.route);
    }
  }

  /** Nobody answers by what the network has said, and that is some time ago. */
  #isAtWrongAddress(): boolean {
    const { askAgainMs } = this.#options.system.times;
    return this.#prober.isLost && this.route !== null && this.layer.sinceAskedMs >= askAgainMs;
  }

  async #work(carrierGraceMs: number): Promise<void> {
    const { host } = this.#options;
    const { layer, route } = this;
    if (!layer.isUp) {
      // Whoever comes back may be in another network.
      this.#isDoubted = true;
      if (layer.sinceCarrierMs >= carrierGraceMs) host.lost(this);
      return;
    }
    if (route === null) return host.lost(this);
    await host.works(this);
    if (this.#isDoubted && host.probe !== null) this.#prober.start(host.probe, route);
  }

  #onProbed(hasReached: boolean): void {
    const { host } = this.#options;
    if (this.#isWorking) {
      if (hasReached) {
        this.#isDoubted = false;
        host.confirmed(this);
      } else if (this.#prober.problem !== null) host.lost(this);
    } else if (hasReached && this.#restReason === null && this.route !== null) {
      this.#isWorking = host.mayWork(this);
    }
    this.#wake.ring();
  }

  #beginAnew(): void {
    void this.#prober.reset().then(() => this.#wake.ring());
  }
}
