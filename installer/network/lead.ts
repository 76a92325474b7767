import type { LinkIdentity } from './link-identity.ts';
import type { NetworkTimes } from './network-system.ts';

/** A link as the order of links sees it. */
export interface Runner {
  readonly identity: LinkIdentity;
  /** Its last probe failed, or it has no carrier and had time to get one. */
  readonly isOut: boolean;
}

/**
 * Whom a link leaves the lead to: all leave a short one to the link that the machine was booted from, and a management
 * controller's USB network leaves a long one to all others, since it answers first and leads nowhere. Who is out has no
 * lead any more. Gives a sentence without full stop, or null.
 * @param searchingMs How long all have been looking for the server.
 */
export function leadOver(
  link: Runner,
  all: readonly Runner[],
  searchingMs: number,
  times: Pick<NetworkTimes, 'bootLinkLeadMs' | 'usbGadgetDelayMs'>,
): string | null {
  const others = all.filter((other) => other !== link && !other.isOut && other.identity.excludedBecause === null);
  const { isBootLink, isUsbGadget } = link.identity;
  if (isBootLink) return null;
  if (isUsbGadget && searchingMs < times.usbGadgetDelayMs && others.some(({ identity }) => !identity.isUsbGadget)) {
    return 'the USB network of a management controller, which is tried last';
  }
  const boot = others.find(({ identity }) => identity.isBootLink);
  if (boot === undefined || searchingMs >= times.bootLinkLeadMs) return null;
  return `leaves the lead to ${boot.identity.name}, which the machine was booted from`;
}
