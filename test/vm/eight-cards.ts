import type { Resources } from '../resources.ts';
import { GuestConsoles, screenHook } from './guest-consoles.ts';
import { newIdentity } from './guest-identity.ts';
import { type Cable, GuestLan } from './guest-lan.ts';
import { InstallerGuest } from './installer-guest.ts';
import { lanHost, startInstallerServer } from './installer-server.ts';
import type { VmNetwork } from './vm-network.ts';

/** Number of the card that leads to the server. */
export const rightCard = 4;

/** The router that one of the DHCP servers names, at which nobody is. */
export const missingRouter = '10.77.99.9';

export interface EightCards {
  readonly guest: InstallerGuest;
  readonly consoles: GuestConsoles;
  readonly cables: { readonly right: Cable; readonly noRoute: Cable; readonly noGateway: Cable; readonly bmc: Cable };
  /** Networks from which the server is used now. */
  readonly winners: () => Promise<string[]>;
}

/**
 * Failure row F16: a machine of which one card leads to the server, three get an address that leads nowhere, among them the
 * USB network of a BMC, which answers first, one gets none, and three have no cable.
 */
export async function startEightCards(resources: Resources): Promise<EightCards> {
  const server = await startInstallerServer(resources);
  const lan = await GuestLan.create(resources);
  await lan.join(server);
  const [right, noRoute, noGateway, bmc] = [
    await lan.addCable(),
    await lan.addCable(),
    await lan.addCable(),
    await lan.addCable(),
  ];
  const silent = await lan.addCable();
  await lan.startDhcp(right, { args: ['--dhcp-reply-delay=5'] });
  await lan.startDhcp(noRoute, { hasRouter: false });
  await lan.startDhcp(noGateway, { args: [`--dhcp-option=option:router,${missingRouter}`] });
  await lan.startDhcp(bmc, { hasRouter: false });
  const unplugged: VmNetwork = { backend: 'nothing' };
  const network: VmNetwork[] = [
    { ...unplugged, model: 'e1000e' },
    { ...noRoute.card, model: 'virtio-net-pci' },
    { ...silent.card, model: 'virtio-net-pci' },
    { ...noGateway.card, model: 'virtio-net-pci' },
    { ...right.card, model: 'vmxnet3' },
    { ...unplugged, model: 'virtio-net-pci' },
    { ...unplugged, model: 'virtio-net-pci' },
    { ...bmc.card, model: 'usb-net' },
  ];
  const guest = await InstallerGuest.start(resources, {
    ...{ server, network, medium: 'direct', firmware: 'seabios', host: lanHost, netns: lan.netns, isPaused: true },
    identity: newIdentity(network.length),
    overlay: { hook: screenHook },
  });
  for (const [card, { backend }] of network.entries()) if (backend === 'nothing') await guest.vm.setLink(false, card);
  await guest.vm.resume();
  return {
    ...{ guest, consoles: new GuestConsoles(resources, guest.vm), cables: { right, noRoute, noGateway, bmc } },
    winners: async () => {
      const addresses = await lan.connections(server.process.port);
      return [...new Set(addresses.map((address) => address.replace(/\.\d+$/, '')))];
    },
  };
}
