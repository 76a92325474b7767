import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../../resources.ts';
import { GuestConsoles, screenHook } from '../guest-consoles.ts';
import { newIdentity } from '../guest-identity.ts';
import { GuestLan } from '../guest-lan.ts';
import { InstallerGuest } from '../installer-guest.ts';
import { type InstallerServer, lanHost, startInstallerServer } from '../installer-server.ts';
import { stepsOf } from '../steps-of.ts';
import type { VmNetwork } from '../vm-network.ts';

const patience = { timeoutMs: 180_000 };
/** From the right card's address to the server's answer, in emulation on a machine that does other things. */
const mostSeconds = 30;
const rightCard = 4;

test('F16 eight cards: one leads to the server, three have an address for nothing, one has none, three no cable', async (context) => {
  await using resources = new Resources();
  const server = await startInstallerServer(resources);
  const lan = await GuestLan.create(resources);
  await lan.join(server);
  const cables = await Promise.all(Array.from({ length: 5 }, async () => await lan.addCable()));
  const [right, noRoute, noGateway, silent, bmc] = cables;
  assert.ok(right && noRoute && noGateway && silent && bmc);
  const nobody = '10.77.99.9';
  await lan.startDhcp(right, { args: ['--dhcp-reply-delay=5'] });
  await lan.startDhcp(noRoute, { hasRouter: false });
  await lan.startDhcp(noGateway, { args: [`--dhcp-option=option:router,${nobody}`] });
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
  const identity = newIdentity(network.length);
  const guest = await InstallerGuest.start(resources, {
    ...{ server, identity, network, medium: 'direct', firmware: 'seabios', host: lanHost, netns: lan.netns },
    isPaused: true,
    overlay: { hook: screenHook },
  });
  const consoles = new GuestConsoles(resources, guest.vm);
  const step = stepsOf(context);
  for (const card of [0, 5, 6]) await guest.vm.setLink(false, card);
  await guest.vm.resume();
  await step('F16 the right one within seconds, though the USB network of a BMC answers first', async () => {
    await guest.waitForMachine(() => true, patience);
    // What a link has found until then stands beside it, else which link was quicker.
    const usb = new RegExp(`the USB network of a management controller|has ${bmc.subnet}\\.\\d+ but no route to`);
    const others = [/no cable, or the switch port is off/, usb];
    await consoles.both(
      [/Ready: this machine|server connection: connected/, /Network|network: eth/, ...others],
      patience,
    );
    assert.deepEqual(await winners(lan, server), [right.subnet]);
    const [answered, first, reached] = [
      /usb0 .*has an address/,
      /eth\d .*, vmxnet3,.*has an address/,
      /network: eth/,
    ].map((line) => Number(new RegExp(`^\\[ *([\\d.]+)\\] ${line.source}`, 'm').exec(consoles.serial)?.[1]));
    console.log(
      `F16: addresses after ${answered} s (BMC) and ${first} s (right card), the server reached after ${reached} s`,
    );
    assert.ok(Number(answered) <= Number(first), 'the BMC has answered first');
    assert.ok(Number(reached) - Number(first) < mostSeconds);
  });
  await step(
    'F16 when the right one is unplugged, each of the eight says why it does not lead to the server',
    async () => {
      await guest.vm.setLink(false, rightCard);
      const reasons = [
        new RegExp(`has ${noRoute.subnet}\\.\\d+ but no route to the server`),
        new RegExp(`has ${noGateway.subnet}\\.\\d+, but the server`),
        new RegExp(`has ${bmc.subnet}\\.\\d+ but no route to the server`),
        /no answer from a DHCP server or an IPv6 router/,
      ];
      await consoles.both(reasons, patience);
      const { screen } = consoles;
      assert.equal(screen.match(/no cable, or the switch port is off/g)?.length, 4);
      assert.equal(screen.match(/^ {3}(eth\d|usb0) /gm)?.length, network.length, 'all links are on the screen');
      assert.match(consoles.serial, new RegExp(`or the gateway ${nobody} does not answer on this network`));
    },
  );
  await step('F16 and the machine is back when it is plugged in again', async () => {
    await guest.vm.setLink(true, rightCard);
    const sinceMs = Date.now();
    await guest.waitForMachine(({ last_seen_at }) => Date.parse(last_seen_at ?? '') > sinceMs, patience);
    assert.deepEqual(await winners(lan, server), [right.subnet]);
    await consoles.gone([/PROBLEM/], patience);
  });
});

/** The networks from which the server is used. */
async function winners(lan: GuestLan, server: InstallerServer): Promise<string[]> {
  const addresses = await lan.connections(server.process.port);
  return [...new Set(addresses.map((address) => address.replace(/\.\d+$/, '')))];
}
