import { abortError, sleep } from '../../core/base/abort.ts';
import { asProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import type { AddressPlan, StaticAddress } from './address-plan.ts';
import { runDhcp4, runDhcpcd6 } from './dhcp-clients.ts';
import { ip, tryIp } from './ip-command.ts';
import type { NetworkSystem } from './network-system.ts';
import { type Facts6, type Lease4, noFacts6 } from './parse-lease.ts';

/** What a link was told by its network since its carrier came. */
export interface Learned {
  readonly lease4: Lease4 | null;
  /** When the lease is over, by `performance.now()`. */
  readonly lease4EndsMs: number;
  readonly facts6: Facts6;
  /** Why an address cannot be had, a sentence without full stop; it is tried again all the same. */
  readonly problem: string | null;
}

export const nothingLearned: Learned = { lease4: null, lease4EndsMs: 0, facts6: noFacts6, problem: null };

export interface LinkSetupOptions {
  readonly device: string;
  readonly macAddress: string;
  readonly largestMtuBytes: number;
  readonly plan: AddressPlan;
  readonly system: NetworkSystem;
  /** Of before a short loss of the carrier: counts until it is renewed or nobody answers. */
  readonly initial: Learned;
  /** True: what came before counts to its end when nobody answers, since somebody may use it. */
  readonly keepsInitial: boolean;
  readonly onChange: () => void;
}

/**
 * Gets addresses for one link and keeps them, from the carrier's coming to its going. Ending it ends the DHCP clients and
 * leaves the addresses.
 */
export class LinkSetup implements AsyncDisposable {
  readonly #options: LinkSetupOptions;
  readonly #ending = new AbortController();
  readonly #tasks: Promise<void>[] = [];
  #learned: Learned;
  #adviceCount = 0;
  /** Changes of one link are made one after the other. */
  #queue: Promise<void> = Promise.resolve();

  constructor(options: LinkSetupOptions) {
    this.#options = options;
    this.#learned = options.initial;
    const { plan } = options;
    const client = { ...options, runtimeFolder: options.system.runtimeFolder, signal: this.#ending.signal };
    for (const entry of plan.statics) this.#keep(async () => await this.#holdStatic(entry));
    if (plan.dhcp4) {
      this.#keep(async () => {
        await runDhcp4(client, (lease) => this.#enqueue(async () => await this.#takeLease4(lease)));
      });
    }
    if (plan.dhcp6 !== 'never' || plan.advertisements !== 'ignored') {
      // In a kernel without IPv6 it ends at once; DHCPv4 has its own sentence.
      this.#keep(async () => await runDhcpcd6(client, (facts6) => this.#takeFacts6(facts6)), { isQuiet: plan.dhcp4 });
    }
  }

  /** How often routers and DHCPv6 servers have said something. */
  get adviceCount(): number {
    return this.#adviceCount;
  }

  get learned(): Learned {
    return this.#learned;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#tasks);
    await this.#queue;
  }

  #learn(news: Partial<Learned>): void {
    if (this.#ending.signal.aborted) return;
    this.#learned = { ...this.#learned, ...news };
    this.#options.onChange();
  }

  /** Starts something that never ends by itself, again whenever it does. */
  #keep(run: () => Promise<void>, { isQuiet }: { readonly isQuiet: boolean } = { isQuiet: false }): void {
    const { signal } = this.#ending;
    const loop = async (): Promise<void> => {
      while (!signal.aborted) {
        try {
          await run();
        } catch (cause) {
          if (signal.aborted) return;
          if (!isQuiet) this.#learn({ problem: asProvisionError(cause).message });
        }
        await sleep(this.#options.system.times.clientRestartMs, signal).catch(() => undefined);
      }
    };
    this.#tasks.push(loop());
  }

  #enqueue(change: () => Promise<void>): void {
    this.#queue = this.#queue.then(change).catch((cause: unknown) => {
      this.#learn({ problem: asProvisionError(cause).message });
    });
  }

  #takeFacts6(facts6: Facts6): void {
    this.#adviceCount += 1;
    this.#learn({ facts6 });
  }

  async #takeLease4(lease: Lease4 | null): Promise<void> {
    const { device, plan, largestMtuBytes } = this.#options;
    const { signal } = this.#ending;
    const before = this.#learned.lease4;
    if (signal.aborted || (lease === null && this.#isKept())) return;
    if (lease !== null) {
      const address = `${lease.address}/${lease.prefixLength}`;
      await ip(['-4', 'address', 'replace', address, 'dev', device, 'noprefixroute'], signal);
      if (plan.mtuBytes === null && lease.mtuBytes !== null && lease.mtuBytes <= largestMtuBytes) {
        await tryIp(['link', 'set', device, 'mtu', String(lease.mtuBytes)], signal);
      }
    }
    if (before !== null && before.address !== lease?.address) {
      await tryIp(['-4', 'address', 'del', `${before.address}/${before.prefixLength}`, 'dev', device], signal);
    }
    const lease4EndsMs = lease === null ? 0 : performance.now() + lease.seconds * 1000;
    this.#learn({ lease4: lease, lease4EndsMs, problem: null });
  }

  #isKept(): boolean {
    const { keepsInitial, initial } = this.#options;
    const { lease4, lease4EndsMs } = this.#learned;
    return keepsInitial && lease4 === initial.lease4 && performance.now() < lease4EndsMs;
  }

  /** Sets a given address as soon as nobody else has it, and then only waits for the end. */
  async #holdStatic({ address, prefixLength, peer }: StaticAddress): Promise<void> {
    const { device, system } = this.#options;
    const { signal } = this.#ending;
    const isIpv6 = address.includes(':');
    while (!isIpv6 && (await isTaken(address, device, signal))) {
      this.#learn({ problem: `another machine on this network has the address ${address}` });
      await sleep(system.times.conflictRetryMs, signal);
    }
    const place = peer === null ? [`${address}/${prefixLength}`] : [address, 'peer', `${peer}/${prefixLength}`];
    const end = isIpv6 ? [] : ['noprefixroute'];
    await ip([isIpv6 ? '-6' : '-4', 'address', 'replace', ...place, 'dev', device, ...end], signal);
    this.#learn({ problem: null });
    await new Promise<never>((_resolve, reject) => {
      const stop = (): void => reject(abortError(signal));
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    });
  }
}

/** Asks for a second whether another machine answers for the address (RFC 5227). */
async function isTaken(address: string, device: string, signal: AbortSignal): Promise<boolean> {
  const args = ['arping', '-D', '-q', '-c', '1', '-w', '1', '-I', device, address];
  return (await runCommand('busybox', args, { signal, okExitCodes: [0, 1], timeoutMs: 10_000 })).exitCode === 1;
}
