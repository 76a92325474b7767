import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../resources.ts';
import { missingRouter, rightCard, startEightCards } from '../vm/eight-cards.ts';

const patience = { timeoutMs: 180_000 };

test('F16 eight cards: when the right one is unplugged each says why it does not lead to the server; plugged in again, it does', async () => {
  await using resources = new Resources();
  const { guest, consoles, cables, winners } = await startEightCards(resources);
  await guest.waitForMachine(() => true, patience);
  await guest.vm.setLink(false, rightCard);
  const { noRoute, noGateway, bmc, right } = cables;
  const reasons = [
    new RegExp(`has ${noRoute.subnet}\\.\\d+ but no route to the server`),
    new RegExp(`has ${noGateway.subnet}\\.\\d+, but the server`),
    new RegExp(`has ${bmc.subnet}\\.\\d+ but no route to the server`),
    /no answer from a DHCP server or an IPv6 router/,
  ];
  await consoles.both(reasons, patience);
  const { screen } = consoles;
  assert.equal(screen.match(/no cable, or the switch port is off/g)?.length, 4);
  assert.equal(screen.match(/^ {3}(eth\d|usb0) /gm)?.length, 8, 'all links are on the screen');
  assert.match(consoles.serial, new RegExp(`or the gateway ${missingRouter} does not answer on this network`));

  await guest.vm.setLink(true, rightCard);
  const sinceMs = Date.now();
  await guest.waitForMachine(({ last_seen_at }) => Date.parse(last_seen_at ?? '') > sinceMs, patience);
  console.log(`F16: online ${((Date.now() - sinceMs) / 1000).toFixed(1)} s after the right one was plugged in again`);
  assert.deepEqual(await winners(), [right.subnet]);
  await consoles.gone([/PROBLEM/], patience);
});
