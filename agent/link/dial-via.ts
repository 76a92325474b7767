import { connect, isIP, type Socket } from 'node:net';
import { sleep } from '../../core/base/abort.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { untilReady } from './until-ready.ts';

/** One way out of a machine that has several: where connections begin, and who translates names. */
export interface DialVia {
  /** Null: no connection of this family. */
  readonly localAddress4: string | null;
  readonly localAddress6: string | null;
  /** Addresses of a name, of both families, best first. @throws ProvisionError `server_unreachable`, `aborted`. */
  readonly lookup: (hostname: string, signal: AbortSignal) => Promise<readonly string[]>;
}

export interface ViaTarget {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
}

// RFC 8305, section 5: the next address is tried while the one before it is still silent.
const attemptDelayMs = 250;

/**
 * A TCP connection by exactly this way: from its addresses only, to the first address of the host that answers.
 * @throws ProvisionError `server_unreachable`, `aborted`; errors of `node:net` as they come.
 */
export async function dialVia(target: ViaTarget, via: DialVia, signal: AbortSignal): Promise<Socket> {
  const { host, port } = target;
  const addresses = isIP(host) === 0 ? await via.lookup(host, signal) : [host];
  const attempts = addresses.flatMap((address) => {
    const localAddress = isIP(address) === 4 ? via.localAddress4 : via.localAddress6;
    return localAddress === null ? [] : [{ host: address, port, localAddress }];
  });
  if (attempts.length === 0) throw noCommonFamily(host, addresses);
  const losers = new AbortController();
  const either = AbortSignal.any([signal, losers.signal]);
  try {
    return await Promise.any(
      attempts.map(async (attempt, index) => {
        if (index > 0) await sleep(index * attemptDelayMs, either);
        const socket = await untilReady(connect(attempt), 'connect', either);
        if (!losers.signal.aborted) losers.abort();
        else socket.destroy();
        return socket;
      }),
    );
  } catch (cause) {
    throw cause instanceof AggregateError && cause.errors.length === 1 ? cause.errors[0] : cause;
  }
}

function noCommonFamily(host: string, addresses: readonly string[]): ProvisionError {
  const family = addresses.some((address) => isIP(address) === 4) ? 'IPv4' : 'IPv6';
  const message =
    addresses.length === 1 && addresses[0] === host
      ? `${host} is an ${family} address, and this link has none of that kind`
      : `${host} has ${family} addresses only, and this link has none of that kind`;
  return new ProvisionError('server_unreachable', message, { facts: { host } });
}
