import type { ServerContext } from '../context.ts';
import { ApiError } from '../http/api-error.ts';
import type { AgentHub } from '../services.ts';
import { addressGroup } from './address-group.ts';
import { ensureBootstrapKeys } from './bootstrap-keys.ts';
import { RateLimiter } from './rate-limiter.ts';

export interface EnrolmentOptions {
  /** Tells whether a machine is still there, and closes the socket of one that has lost its key. */
  readonly hub: AgentHub;
  /** Called in the transaction in which an operator gave a machine another's key: its interrupted run starts again. */
  readonly onAdopted: (machineUuid: string) => void;
}

/** What happened since the server started, for `/metrics`. */
export interface EnrolmentCounters {
  /** Machines that got a record, or a record's key. */
  enrolled: number;
  /** Requests of keys that were known already. */
  enrolledAgain: number;
  rekeyed: number;
  adopted: number;
  tokensInvalid: number;
  tokensExpired: number;
  approvalsRequested: number;
  approvalsApproved: number;
  approvalsDenied: number;
  /** Codes that no machine shows. */
  codesRefused: number;
  /** Requests that a limit turned away: with 429, for a network boot with a script that starts the local disk. */
  limited: number;
}

const minute = 1 / 60;
const maxKeys = 10_000;

/** What enrolment keeps in memory beside the database: limits and counters. One per running server. */
export class Enrolment {
  readonly context: ServerContext;
  readonly hub: AgentHub;
  readonly onAdopted: (machineUuid: string) => void;
  readonly counters: EnrolmentCounters = {
    enrolled: 0,
    enrolledAgain: 0,
    rekeyed: 0,
    adopted: 0,
    tokensInvalid: 0,
    tokensExpired: 0,
    approvalsRequested: 0,
    approvalsApproved: 0,
    approvalsDenied: 0,
    codesRefused: 0,
    limited: 0,
  };
  readonly #refusedTokens: RateLimiter;
  readonly #newApprovals: RateLimiter;
  readonly #wrongCodesOfAddress: RateLimiter;
  readonly #wrongCodesOfAccount: RateLimiter;
  readonly #unmarkedMacs: RateLimiter;

  /** Makes `jwe.key` when it is not there. @throws ProvisionError `server_key_invalid`. */
  constructor(context: ServerContext, { hub, onAdopted }: EnrolmentOptions) {
    this.context = context;
    this.hub = hub;
    this.onAdopted = onAdopted;
    ensureBootstrapKeys(context.dataDir, context.clock.now());
    this.#refusedTokens = new RateLimiter(context.clock, { capacity: 20, perSecond: 10 * minute, maxKeys });
    // A rack behind one address asks at once and renews every 15 minutes.
    this.#newApprovals = new RateLimiter(context.clock, { capacity: 100, perSecond: 20 * minute, maxKeys });
    // 23^6 codes: at 2 a minute a hundred pending ones are found by chance after a year.
    this.#wrongCodesOfAddress = new RateLimiter(context.clock, { capacity: 10, perSecond: 2 * minute, maxKeys });
    this.#wrongCodesOfAccount = new RateLimiter(context.clock, { capacity: 20, perSecond: 2 * minute, maxKeys });
    // A rack behind one address asks at once, a machine about up to eight interfaces. In the hour that a mark usually lasts
    // that makes 2200 guesses of the 16 million addresses of one vendor's block.
    this.#unmarkedMacs = new RateLimiter(context.clock, { capacity: 400, perSecond: 30 * minute, maxKeys });
  }

  /**
   * The answer to a token that was refused. Every token is verified, also from an address that has used up its failures:
   * to guess one is hopeless (a 256-bit key), so the limit is against noise, and one machine with a stale token must not
   * keep a whole rack behind the same address from enrolling. Verifying costs less than parsing the request.
   */
  refuseToken(address: string, reason: 'invalid' | 'expired'): ApiError {
    if (reason === 'expired') this.counters.tokensExpired += 1;
    else this.counters.tokensInvalid += 1;
    const waitSeconds = this.#refusedTokens.take(addressGroup(address));
    if (waitSeconds > 0) return this.#limited('too many tokens from this address were refused', waitSeconds);
    if (reason === 'expired') return new ApiError(401, 'the token has expired: make a new one');
    return new ApiError(401, 'the token is not valid for this server');
  }

  /** @throws ApiError 429 when the address has asked for too many codes. */
  admitApproval(address: string): void {
    const waitSeconds = this.#newApprovals.take(addressGroup(address));
    if (waitSeconds > 0) throw this.#limited('too many approval codes were asked for from this address', waitSeconds);
  }

  /** The answer when no room is left for another pending code. */
  refuseApproval(): ApiError {
    return this.#limited('too many machines are waiting for approval', 60);
  }

  /**
   * Asked before a code is looked up: a code is short, so where too many were wrong not even the right one is taken.
   * @throws ApiError 429.
   */
  admitCode(accountUuid: string, address: string): void {
    const waitSeconds = Math.max(
      this.#wrongCodesOfAccount.waitSeconds(accountUuid),
      this.#wrongCodesOfAddress.waitSeconds(addressGroup(address)),
    );
    if (waitSeconds > 0) throw this.#limited('too many wrong codes were entered', waitSeconds);
  }

  /** The answer to a code that was never given, was used, was denied or has expired: always the same. */
  refuseCode(accountUuid: string, address: string): ApiError {
    this.counters.codesRefused += 1;
    this.#wrongCodesOfAccount.take(accountUuid);
    this.#wrongCodesOfAddress.take(addressGroup(address));
    return new ApiError(404, 'no machine is waiting with this code');
  }

  /** Asked before a MAC is looked up for a network boot. @returns 0, or the seconds that the address has to wait for. */
  admitMac(address: string): number {
    const waitSeconds = this.#unmarkedMacs.waitSeconds(addressGroup(address));
    if (waitSeconds > 0) this.counters.limited += 1;
    return waitSeconds;
  }

  /** A MAC was asked about that is not to be installed: perhaps a guess. */
  noteUnmarkedMac(address: string): void {
    this.#unmarkedMacs.take(addressGroup(address));
  }

  #limited(message: string, retryAfterSeconds: number): ApiError {
    this.counters.limited += 1;
    return new ApiError(429, message, { retryAfterSeconds });
  }
}
