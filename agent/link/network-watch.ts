import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../../core/base/abort.ts';
import { globalAddresses, type ReadInterfaces, realInterfaces } from '../hardware/addresses.ts';

export interface NetworkWatchOptions {
  /** Injectable for tests. */
  readonly interfaces?: ReadInterfaces;
  /** Default `/proc`. */
  readonly procRoot?: string;
  /** Default 1 s. */
  readonly pollMs?: number;
}

/**
 * Notices that this machine has got an address or a default route which it had not before: what was unreachable may be
 * reachable now. It compares with its last look, also when that was in an earlier wait.
 */
export class NetworkWatch {
  readonly #options: NetworkWatchOptions;
  #last: ReadonlySet<string>;

  constructor(options: NetworkWatchOptions = {}) {
    this.#options = options;
    this.#last = this.#look();
  }

  /**
   * Waits `delayMs`, or less when the network has grown: true then.
   * @throws ProvisionError `aborted`.
   */
  async wait(delayMs: number, signal: AbortSignal): Promise<boolean> {
    const endMs = performance.now() + delayMs;
    for (;;) {
      if (this.#hasGrown()) return true;
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) return false;
      await sleep(Math.min(leftMs, this.#options.pollMs ?? 1000), signal);
    }
  }

  #hasGrown(): boolean {
    const before = this.#last;
    this.#last = this.#look();
    return [...this.#last].some((each) => !before.has(each));
  }

  /** An interface without carrier has no addresses here (libuv leaves it out), though the kernel keeps them. */
  #look(): Set<string> {
    const { interfaces = realInterfaces, procRoot = '/proc' } = this.#options;
    const addresses = [...globalAddresses(interfaces)].flatMap(([name, each]) => each.map((one) => `${name} ${one}`));
    return new Set([...addresses, ...defaultRoutes(procRoot)]);
  }
}

/** proc(5), /proc/net/route: interface, destination, gateway, …, mask; /proc/net/ipv6_route: see the kernel's route.c. */
function defaultRoutes(procRoot: string): string[] {
  const lines = (name: string): string[][] => {
    try {
      const text = readFileSync(join(procRoot, 'net', name), 'utf8');
      return text.split('\n').map((line) => line.trim().split(/\s+/));
    } catch {
      // A kernel without this family.
      return [];
    }
  };
  const ipv4 = lines('route').filter((fields) => fields[1] === '00000000' && fields[7] === '00000000');
  // The kernel's own "unreachable" route is on lo.
  const ipv6 = lines('ipv6_route').filter(
    (fields) => fields[1] === '00' && fields[9] !== undefined && fields[9] !== 'lo',
  );
  return [
    ...ipv4.map(([name, , gateway]) => `route ${name} ${gateway}`),
    ...ipv6.map((fields) => `route ${fields[9]} ${fields[4]}`),
  ];
}
