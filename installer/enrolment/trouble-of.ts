import { describeError } from '../../core/base/describe-error.ts';
import type { ErrorCode } from '../../core/base/error-codes.ts';
import type { ProvisionError } from '../../core/base/errors.ts';
import { adviceFor } from '../console/advice.ts';
import type { Trouble } from '../state/installer-events.ts';

export interface TroubleFacts {
  readonly hasPin: boolean;
  /** Milliseconds until it is tried again; null: as soon as the cause is gone. */
  readonly retryInMs: number | null;
  /** Milliseconds since 1970, injectable. */
  readonly now?: () => number;
}

/** Where the pin decides what helps. */
const adviceWithPin: Partial<Readonly<Record<ErrorCode, string>>> = {
  clock_wrong: "Compare the server's clock and this machine's with the time: one of them is wrong.",
  server_untrusted: 'Check that the address is the right one: what answers there has not the key that the pin names.',
};

const noRouter = 'Let DHCP (or ip=) name a router that leads to the server, or correct the address of the server.';
const notListening = 'Start the durantic server, or correct the port: its machine answers, but nothing listens there.';

/** What is told by the system's error of a server that cannot be reached. */
const adviceByErrno: Readonly<Record<string, string>> = {
  EACCES: noRouter,
  ENETUNREACH: noRouter,
  EADDRNOTAVAIL: noRouter,
  ECONNREFUSED: notListening,
  ECONNRESET: 'Look whether the durantic server runs behind what answers at this address (proxy, load balancer).',
};

/** An error that stands in the way, as a screen shows it: what happened, what to do, when it is tried again. */
export function troubleOf(error: ProvisionError, { hasPin, retryInMs, now = Date.now }: TroubleFacts): Trouble {
  const byErrno = error.code === 'server_unreachable' ? adviceByErrno[String(error.facts['errno'])] : undefined;
  const own = byErrno ?? (hasPin ? adviceWithPin[error.code] : undefined);
  return {
    code: error.code,
    what: describeError(error),
    todo: own ?? adviceFor(error.code),
    retryAtMs: retryInMs === null ? null : now() + retryInMs,
  };
}
