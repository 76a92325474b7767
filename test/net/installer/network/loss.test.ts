import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { InstallerMachine } from '../../../builders/installer-network.ts';
import { type OutsideServer, startOutsideServer, TestNetwork } from '../../../builders/network-namespaces.ts';
import { Resources, waitFor } from '../../../resources.ts';

const shared = new Resources();
let server: OutsideServer;
before(async () => {
  server = await startOutsideServer(shared);
});
after(async () => await shared[Symbol.asyncDispose]());

interface Scene {
  readonly machine: InstallerMachine;
  readonly networks: readonly TestNetwork[];
}

/** A machine with a cable to each of the networks; the first has the lead. */
async function start(resources: Resources, nets: readonly string[], of: OutsideServer = server): Promise<Scene> {
  const machine = await InstallerMachine.create(resources);
  const networks: TestNetwork[] = [];
  for (const [index, net] of nets.entries()) {
    const dnsmasq = [`dhcp-range=${net}.50,${net}.99,5m`];
    const network = await TestNetwork.create(resources, of.namespace, { addresses: [`${net}.1/24`], dnsmasq });
    machine.describe(`eth${index}`);
    await network.plug(machine.namespace, `eth${index}`, { mac: `52:54:00:aa:cc:0${index}` });
    networks.push(network);
  }
  machine.start(
    'BOOTIF=01-52-54-00-aa-cc-00',
    { server: of.url, pin: of.pin },
    { carrierGraceMs: 2000, bootLinkLeadMs: 5000 },
  );
  await machine.untilWorking('eth0');
  return { machine, networks };
}

const outcomes = (machine: InstallerMachine): (string | null)[] =>
  machine.lines.flatMap((line) => (line.kind === 'working' ? [line.working?.report.name ?? null] : []));

describe('the way to the server is lost', { concurrency: 4 }, () => {
  test('a doubt without reason changes nothing', async () => {
    await using resources = new Resources();
    const { machine } = await start(resources, ['10.51.0']);
    await machine.until('the first way to be told', () => machine.lines.some(({ kind }) => kind === 'first'));
    const before = machine.lines.length;
    machine.say('doubt');
    await machine.until('an answer', () => machine.lines.slice(before).some(({ kind }) => kind === 'answered'));
    await machine.stop();
    assert.deepEqual(
      machine.lines.slice(before).map(({ kind }) => kind),
      ['answered', 'ended'],
    );
  });

  test('a server that is gone is looked for by all links with the reason shown, and found when it is back, by the same link', async () => {
    await using resources = new Resources();
    const own = await startOutsideServer(resources);
    const { machine } = await start(resources, ['10.52.0', '10.53.0'], own);
    machine.describe('eth2');
    const apart = await TestNetwork.create(resources, own.namespace, {
      addresses: ['10.57.0.1/24'],
      dnsmasq: ['dhcp-range=10.57.0.50,10.57.0.99,5m', 'dhcp-option=option:router'],
    });
    await apart.plug(machine.namespace, 'eth2');
    const [address] = machine.link('eth0')?.addresses ?? [];
    // Links that find the server again at one time are no reason to change.
    for (const round of [1, 2, 3]) {
      await own.stop();
      assert.equal(machine.working?.report.name, 'eth0');
      machine.say('doubt');
      await machine.until('the link to be lost', () => machine.working === null);
      const refused = /^the server 10\.0\.0\.1:8443 refuses the connection/;
      await machine.untilLink('eth0', { stage: 'failed', detail: refused });
      await machine.untilLink('eth1', { stage: 'failed', detail: refused });
      // The machine's default route is still eth0's, and nobody else's way.
      await machine.untilLink('eth2', { stage: 'failed', detail: /^has 10\.57\.0\.\d+ but no route to the server/ });
      assert.match(await machine.namespace.ip('-4', 'route'), /^default via 10\.52\.0\.1 dev eth0/m);
      await own.start();
      await machine.untilWorking('eth0');
      assert.deepEqual(machine.link('eth0')?.addresses, [address]);
      assert.equal(outcomes(machine).length, 2 * round + 1);
      assert.ok(!outcomes(machine).includes('eth1'));
      await machine.untilLink('eth1', { stage: 'unused' });
    }
  });

  test('a carrier that is back at once keeps the link and its address', async () => {
    await using resources = new Resources();
    const { machine, networks } = await start(resources, ['10.54.0']);
    const [address] = machine.link('eth0')?.addresses ?? [];
    await networks[0]?.setCarrier('eth0', false);
    await machine.untilLink('eth0', { stage: 'no_carrier', detail: /^no cable, or the switch port is off$/ });
    assert.match(await machine.namespace.ip('-4', 'route', 'show', 'table', 'main'), /default/);
    await networks[0]?.setCarrier('eth0', true);
    await machine.untilLink('eth0', { stage: 'reached' });
    assert.deepEqual(machine.link('eth0')?.addresses, [address]);
    assert.deepEqual(outcomes(machine), ['eth0']);
  });

  test('a carrier that stays away makes another link the way, which stays it when the first is back', async () => {
    await using resources = new Resources();
    const { machine, networks } = await start(resources, ['10.55.0', '10.56.0']);
    await networks[0]?.setCarrier('eth0', false);
    await machine.untilWorking('eth1');
    await machine.untilLink('eth0', { stage: 'unused', detail: /^no cable, or the switch port is off$/ });
    const routes = async (): Promise<string> => await machine.namespace.ip('-4', 'route');
    assert.match(await routes(), /^default via 10\.56\.0\.1 dev eth1/m);
    await waitFor('eth0 to give its routes back', async () => !/eth0/.test(await routes()));
    assert.match(machine.resolvConf, /^nameserver 10\.56\.0\.1$/m);
    await networks[0]?.setCarrier('eth0', true);
    await networks[1]?.setCarrier('eth1', false);
    await machine.untilWorking('eth0');
    assert.deepEqual(outcomes(machine), ['eth0', null, 'eth1', null, 'eth0']);
  });
});
