import type { LinkStage } from '../state/installer-events.ts';
import type { AddressPlan } from './address-plan.ts';

/** Everything that decides how far a link is. Times in milliseconds. */
export interface LinkSituation {
  /** Why the link is not used at all, a sentence; null when it is. */
  readonly unusedBecause: string | null;
  /** Why it could not be set up; null when it could. */
  readonly setUpProblem: string | null;
  readonly hasCarrier: boolean;
  /** False while it is too early to complain of a missing carrier: cards take seconds to agree on a speed. */
  readonly isSwitchedOn: boolean;
  /** Null: no `ip=` is for it. */
  readonly plan: AddressPlan | null;
  readonly hasAddress: boolean;
  readonly addressProblem: string | null;
  /** Since the network was asked for addresses. */
  readonly askingMs: number;
  readonly hasReached: boolean;
  readonly hasProbe: boolean;
  /** What the last probe failed with; null before one has ended. */
  readonly probeProblem: string | null;
  /** What this link leaves the lead to; null when it need not. */
  readonly waitsFor: string | null;
  readonly firstComplaintMs: number;
  readonly patienceMs: number;
}

export interface StageReport {
  readonly stage: LinkStage;
  /** One sentence without full stop, or null. */
  readonly detail: string | null;
}

/** The stage and what a person is told about it. */
export function linkStage(situation: LinkSituation): StageReport {
  const { unusedBecause, setUpProblem, hasCarrier, hasAddress, hasReached, hasProbe, probeProblem } = situation;
  if (unusedBecause !== null) return { stage: 'unused', detail: unusedBecause };
  if (setUpProblem !== null) return { stage: 'failed', detail: `cannot be set up: ${setUpProblem}` };
  if (!hasCarrier) {
    return { stage: 'no_carrier', detail: situation.isSwitchedOn ? 'no cable, or the switch port is off' : null };
  }
  if (!hasAddress) return asking(situation);
  if (hasReached) return { stage: 'reached', detail: null };
  if (!hasProbe) return { stage: 'probing', detail: 'waits until the server is known' };
  if (probeProblem !== null) return { stage: 'failed', detail: probeProblem };
  return { stage: 'probing', detail: situation.waitsFor };
}

function asking(situation: LinkSituation): StageReport {
  const { addressProblem, askingMs, firstComplaintMs, patienceMs } = situation;
  if (addressProblem !== null) return { stage: 'failed', detail: addressProblem };
  const stage = askingMs >= patienceMs ? 'failed' : 'asking';
  if (askingMs < firstComplaintMs) return { stage, detail: null };
  return { stage, detail: `${missingAnswer(situation.plan)} for ${complaintSeconds(askingMs)} s` };
}

function missingAnswer(plan: AddressPlan | null): string {
  if (plan === null) return 'no address';
  const { dhcp4, dhcp6, advertisements, isLinkLocalEnough } = plan;
  const isIpv6Asked = dhcp6 !== 'never' || advertisements !== 'ignored';
  if (dhcp4 && isIpv6Asked) return 'no answer from a DHCP server or an IPv6 router';
  if (dhcp4) return 'no answer from a DHCP server';
  if (dhcp6 === 'always') return 'no answer from a DHCPv6 server';
  if (isIpv6Asked) return 'no answer from an IPv6 router';
  return isLinkLocalEnough ? 'no link-local address' : 'the given address is not usable';
}

/** Rounded down so that a waiting link is not a new line on a serial console every second. */
function complaintSeconds(askingMs: number): number {
  const seconds = Math.floor(askingMs / 1000);
  const step = seconds < 10 ? 1 : seconds < 60 ? 10 : seconds < 300 ? 30 : 300;
  return Math.floor(seconds / step) * step;
}
