import type { LinkReport } from '../state/installer-events.ts';
import type { InstallerState } from '../state/installer-state.ts';

const noCable = 'Plug in a cable, or switch the port on: it goes on by itself.';
const noAddress =
  'Check that a DHCP server answers on this network and that the port is in the right VLAN; ip= and durantic.vlan= set both by hand.';

/**
 * What a person can do while no link has come as far as to look for the server; null while one may still do so, and when
 * something else is said to stand in the way.
 */
export function networkAdvice({ links, workingLink, trouble }: InstallerState): string | null {
  const used = links.filter(({ stage }) => stage !== 'unused');
  if (used.length === 0 || workingLink !== null || trouble !== null) return null;
  // Cards take seconds to agree on a speed, and DHCP servers to answer: they have no detail before that.
  if (used.every(isUnplugged)) return noCable;
  return used.some(hasNoAnswer) && used.every((link) => isUnplugged(link) || hasNoAnswer(link)) ? noAddress : null;
}

function isUnplugged({ stage, detail }: LinkReport): boolean {
  return stage === 'no_carrier' && detail !== null;
}

function hasNoAnswer({ stage, detail, addresses }: LinkReport): boolean {
  return (stage === 'asking' || stage === 'failed') && detail !== null && addresses.length === 0;
}
