import { type AddressPlan, addressPlan } from './address-plan.ts';
import type { DeviceFacts } from './describe-device.ts';
import type { NetworkParameters } from './network.ts';
import type { KernelLink } from './read-kernel-links.ts';

/** What does not change about a link while it exists. */
export interface LinkIdentity extends DeviceFacts {
  /** As people see it: the device's, with `.ID` for a VLAN. */
  readonly name: string;
  /** What carries the addresses; the VLAN of a device with a long name is called otherwise. */
  readonly device: string;
  readonly hardware: KernelLink;
  readonly vlanId: number | null;
  readonly isBootLink: boolean;
  /** Null: no `ip=` is for it. */
  readonly plan: AddressPlan | null;
  /** Why it is never used, a sentence without full stop; null when it may be. */
  readonly excludedBecause: string | null;
}

const longestDeviceName = 15;

/** What the kernel command line means for a device. */
export function identifyLink(hardware: KernelLink, facts: DeviceFacts, parameters: NetworkParameters): LinkIdentity {
  const { vlan, bootMac } = parameters;
  const name = vlan === null ? hardware.name : `${hardware.name}.${vlan}`;
  const ownMacs = [hardware.macAddress, hardware.permanentMacAddress];
  const plan = addressPlan(parameters, [hardware.name, name]);
  const chosen = parameters.interface;
  const isChosen = chosen === null || [hardware.name, name, ...ownMacs].includes(chosen);
  return {
    ...facts,
    name,
    device: name.length <= longestDeviceName ? name : `vlan${vlan}-${hardware.index}`,
    hardware,
    vlanId: vlan,
    isBootLink: bootMac !== null && ownMacs.includes(bootMac),
    plan,
    excludedBecause: !isChosen
      ? `durantic.interface=${chosen} names another link`
      : plan === null
        ? 'ip= names other links only'
        : null,
  };
}
