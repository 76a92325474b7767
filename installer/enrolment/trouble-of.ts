import { describeError } from '../../core/base/describe-error.ts';
import type { ErrorCode } from '../../core/base/error-codes.ts';
import type { ProvisionError } from '../../core/base/errors.ts';
import type { Trouble } from '../state/installer-events.ts';

export interface TroubleFacts {
  readonly hasPin: boolean;
  /** Milliseconds until it is tried again; null: as soon as the cause is gone. */
  readonly retryInMs: number | null;
  /** Milliseconds since 1970, injectable. */
  readonly now?: () => number;
}

const newToken = 'Approve the machine by the code on this screen, or boot it with a new token';
const pin = 'durantic.pin=sha256:... (the server prints it when it starts)';

const advice: Partial<Readonly<Record<ErrorCode, string>>> = {
  token_refused: `${newToken} of this server; the old one is tried again from time to time.`,
  token_expired: `${newToken}; the old one is tried again from time to time.`,
  approval_denied: 'An operator can still approve it: a new code is shown after a pause.',
  server_unreachable: 'Check that the durantic server runs at this address and that no firewall is in between.',
  server_error: 'Look into the log of the durantic server.',
  server_rate_limited: 'Nothing needs to be done: the server has too much to do, and is asked again.',
  server_answer_invalid: 'Check that the address is that of a durantic server, and not of a proxy or a login page.',
  server_pin_mismatch: `Compare the pin with the one that the server printed; boot with the right ${pin}.`,
  server_untrusted: `Boot with ${pin}, or type the address, a space and the pin here.`,
  clock_wrong: `Set the clock in the firmware's setup, or boot with ${pin}: then the installer sets the clock itself.`,
  machine_unknown: 'Nothing needs to be done: the machine enrols again with the same key.',
  agent_refused:
    'Check that the address is one of the --public-url of the server; otherwise another machine has this machine\'s place, which "durantic server adopt" settles.',
  agent_replaced: 'Check whether a second machine was started from a copy of this disk.',
  protocol_unsupported: "Boot the machine with the installer of this server's version.",
  link_lost: 'Check the server and the network; the connection is made again by itself.',
};

const otherAdvice: Partial<Readonly<Record<ErrorCode, string>>> = {
  clock_wrong: "Compare the server's clock and this machine's with the time: one of them is wrong.",
  server_untrusted: 'Check that the address is the right one: what answers there has not the key that the pin names.',
};

/** An error that stands in the way, as a screen shows it: what happened, what to do, when it is tried again. */
export function troubleOf(error: ProvisionError, { hasPin, retryInMs, now = Date.now }: TroubleFacts): Trouble {
  const own = hasPin ? otherAdvice[error.code] : undefined;
  return {
    code: error.code,
    what: describeError(error),
    todo: own ?? advice[error.code] ?? 'Read the message; the installer goes on by itself when the cause is gone.',
    retryAtMs: retryInMs === null ? null : now() + retryInMs,
  };
}
