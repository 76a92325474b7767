import type { LinkReport } from '../state/installer-events.ts';
import type { InstallerState } from '../state/installer-state.ts';

const noCable = 'Plug in a cable, or switch the port on: it goes on by itself.';
const noAddress =
  'Check that a DHCP server answers on this network and that the port is in the right VLAN; ip= and durantic.vlan= set both by hand.';
/** Of the links: a screen has few lines. */
const mostNamed = 4;

/**
 * What a person can do while no link has come as far as to look for the server; null while one may still do so, and when
 * something else is said to stand in the way.
 */
export function networkAdvice({ links, workingLink, trouble }: InstallerState): string | null {
  if (links.length === 0 || workingLink !== null || trouble !== null) return null;
  if (links.every(({ isExcluded }) => isExcluded)) return othersNamed(links);
  const used = links.filter(({ stage }) => stage !== 'unused');
  if (used.length === 0) return null;
  // Cards take seconds to agree on a speed, and DHCP servers to answer: they have no detail before that.
  if (used.every(isUnplugged)) return noCable;
  return used.some(hasNoAnswer) && used.every((link) => isUnplugged(link) || hasNoAnswer(link)) ? noAddress : null;
}

/** There is no udev here, which gives the cards of an installed system other names than the kernel does. */
function othersNamed(links: readonly LinkReport[]): string {
  const named = links.slice(0, mostNamed).map(({ name, macAddress }) => `${name} (${macAddress})`);
  const more = links.length > mostNamed ? ` and ${links.length - mostNamed} more` : '';
  return (
    `durantic.interface= or ip= names no link of this machine. It has ${named.join(', ')}${more}. ` +
    'Boot with the MAC address of one in durantic.interface=, and with no name in ip=: ' +
    'names of an installed system, such as eno1, do not exist here.'
  );
}

function isUnplugged({ stage, detail }: LinkReport): boolean {
  return stage === 'no_carrier' && detail !== null;
}

function hasNoAnswer({ stage, detail, addresses }: LinkReport): boolean {
  return (stage === 'asking' || stage === 'failed') && detail !== null && addresses.length === 0;
}
