/** Times of agents' sockets, milliseconds unless the name says otherwise; tests give shorter ones. */
export interface AgentTiming {
  /** From the upgrade to the hello. */
  readonly helloMs: number;
  readonly heartbeatSeconds: number;
  /** How often sockets are looked at. A socket is pinged after half of `silentSweeps` and closed after all of them. */
  readonly sweepMs: number;
  /** Looks without a frame in between. Counted, not timed: neither a clock that jumps nor a server that was suspended ends a socket. */
  readonly silentSweeps: number;
  /** How often heartbeats go to the database. */
  readonly flushMs: number;
  /** How long a connected machine may take to say what became of a CancelProvision while other commands wait for it. */
  readonly cancelMs: number;
  /** Patience for the peer's half of a close. */
  readonly closeMs: number;
}

export const agentTiming: AgentTiming = {
  helloMs: 10_000,
  heartbeatSeconds: 10,
  sweepMs: 5_000,
  silentSweeps: 12,
  flushMs: 10_000,
  cancelMs: 5 * 60_000,
  closeMs: 2_000,
};

/** What one peer may cost. */
export interface AgentLimits {
  /** Sockets before their hello, of one address (IPv6: of one /64). A site behind one NAT reconnects at once. */
  readonly waitingPerAddress: number;
  readonly waitingInTotal: number;
  /** Bytes that may arrive before the hello is accepted. */
  readonly helloBytes: number;
  /** Frames and bytes that may come at once (an outbox after an outage) and in the long run. */
  readonly frames: { readonly capacity: number; readonly perSecond: number };
  readonly bytes: { readonly capacity: number; readonly perSecond: number };
  /** `refused` answers; what is beyond is refused silently. */
  readonly refusals: { readonly capacity: number; readonly perSecond: number };
  /** Unsent bytes at which a socket is given up: at once, and when two sweeps in a row find them. */
  readonly unsentBytes: number;
  readonly unsentSweepBytes: number;
}

export const agentLimits: AgentLimits = {
  waitingPerAddress: 512,
  waitingInTotal: 4096,
  helloBytes: 64 * 1024,
  frames: { capacity: 20_000, perSecond: 500 },
  bytes: { capacity: 64 * 1024 * 1024, perSecond: 4 * 1024 * 1024 },
  refusals: { capacity: 10, perSecond: 1 },
  unsentBytes: 16 * 1024 * 1024,
  unsentSweepBytes: 1024 * 1024,
};
