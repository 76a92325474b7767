import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resources } from '../../resources.ts';
import { startEightCards } from '../eight-cards.ts';

const patience = { timeoutMs: 180_000 };
/** From the right card's address to the server's answer, in emulation on a machine that does other things. */
const mostSeconds = 30;

test('F16 eight cards: the right one within seconds, though the USB network of a BMC answers first; the others say why not', async () => {
  await using resources = new Resources();
  const { guest, consoles, cables, winners } = await startEightCards(resources);
  await guest.waitForMachine(() => true, patience);
  // What a link has found until then stands beside it, else which link was quicker.
  const usb = new RegExp(`the USB network of a management controller|has ${cables.bmc.subnet}\\.\\d+ but no route to`);
  const others = [/no cable, or the switch port is off/, usb];
  await consoles.both([/Ready: this machine|server connection: connected/, ...others], patience);
  assert.equal(consoles.screen.match(/^ {3}(eth\d|usb0) /gm)?.length, 7, 'all others are on the screen');
  assert.deepEqual(await winners(), [cables.right.subnet]);
  const [answered, first, reached] = [
    /usb0 .*has an address/,
    /eth\d .*, vmxnet3,.*has an address/,
    /network: eth/,
  ].map((line) => Number(new RegExp(`^\\[ *([\\d.]+)\\] ${line.source}`, 'm').exec(consoles.serial)?.[1]));
  console.log(`F16: addresses after ${answered} s (BMC) and ${first} s (right card), the server after ${reached} s`);
  assert.ok(Number(answered) <= Number(first), 'the BMC has answered first');
  assert.ok(Number(reached) - Number(first) < mostSeconds);
});
