import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { runCommand } from '../../../../core/base/run-command.ts';
import { InstallerMachine } from '../../../builders/installer-network.ts';
import {
  Namespace,
  type OutsideServer,
  startOutsideServer,
  TestNetwork,
} from '../../../builders/network-namespaces.ts';
import { Resources, waitFor } from '../../../resources.ts';

const shared = new Resources();
let server: OutsideServer;
before(async () => {
  server = await startOutsideServer(shared);
});
after(async () => await shared[Symbol.asyncDispose]());

interface Scene {
  readonly machine: InstallerMachine;
  readonly right: TestNetwork;
  /** Lets the loser's DHCP clients end. */
  readonly letGo: () => Promise<void>;
}

/** eth1 has won, and eth0, which leads nowhere, cannot give back its routes: its clients do not run. */
async function startWithStuckLoser(resources: Resources, wrongNet: string, rightNet: string): Promise<Scene> {
  const machine = await InstallerMachine.create(resources);
  const make = async (outside: Namespace, net: string, hasDhcp: boolean): Promise<TestNetwork> =>
    await TestNetwork.create(resources, outside, {
      addresses: [`10.${net}.0.1/24`, `2001:db8:${net}::1/64`],
      dnsmasq: hasDhcp ? lines(net) : null,
    });
  const wrong = await make(await Namespace.create(resources, 'island'), wrongNet, true);
  const right = await make(server.namespace, rightNet, false);
  for (const device of ['eth0', 'eth1']) machine.describe(device);
  await wrong.plug(machine.namespace, 'eth0');
  await right.plug(machine.namespace, 'eth1');
  machine.start('', { server: server.url, pin: server.pin, timeoutMs: 1000 }, { carrierGraceMs: 1000 });
  await machine.untilLink('eth0', { stage: 'failed' });
  await waitFor('eth0 to have a default route', async () => await hasRoute(machine, 'eth0'));
  const pids = await clientsOf(machine, 'eth0');
  assert.ok(pids.length > 0);
  await runCommand('kill', ['-STOP', ...pids]);
  const letGo = async (): Promise<void> => void (await runCommand('kill', ['-CONT', ...pids], { okExitCodes: [0, 1] }));
  resources.defer('let the clients go', letGo);
  await right.start(lines(rightNet));
  await machine.untilWorking('eth1');
  return { machine, right, letGo };
}

const lines = (net: string): string[] => [
  `dhcp-range=10.${net}.0.50,10.${net}.0.99,5m`,
  'enable-ra',
  `dhcp-range=2001:db8:${net}::,ra-only`,
];

async function hasRoute(machine: InstallerMachine, device: string): Promise<boolean> {
  return new RegExp(`^default via .* dev ${device}`, 'm').test(await machine.namespace.ip('-6', 'route'));
}

async function clientsOf(machine: InstallerMachine, device: string): Promise<string[]> {
  const pids = await machine.pids();
  return pids.filter((pid) => {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    // Not the shell around it, which ends it later.
    return command.startsWith('dhcpcd') && command.includes(device);
  });
}

/** Which link the kernel sends a packet by; null where it sends none. */
async function wayTo(machine: InstallerMachine, address: string): Promise<string | null> {
  const { stdout } = await runCommand('ip', ['-n', machine.namespace.name, 'route', 'get', address], {
    okExitCodes: [0, 2],
  });
  return / dev (\S+)/.exec(stdout)?.[1] ?? null;
}

const isFenced = async (machine: InstallerMachine): Promise<boolean> => {
  const rules = await Promise.all(['-4', '-6'].map(async (family) => await machine.namespace.ip(family, 'rule')));
  return rules.some((text) => /^7301:/m.test(text));
};

describe('the link that wins is used at once', { concurrency: 2 }, () => {
  test('while another still has routes, nothing goes by them; they go, and the machine’s own routes count', async () => {
    await using resources = new Resources();
    const { machine, letGo } = await startWithStuckLoser(resources, '81', '82');
    // A server by its own address, one elsewhere, and one in the loser's network.
    for (const address of ['10.0.0.1', '2001:db8::1', '2001:db8:ffff::1', '2001:db8:81::1', '10.81.0.1']) {
      assert.notEqual(await wayTo(machine, address), 'eth0', address);
    }
    assert.equal(await wayTo(machine, '10.0.0.1'), 'eth1');
    await waitFor('IPv6 by eth1', async () => (await wayTo(machine, '2001:db8::1')) === 'eth1');
    assert.ok(await hasRoute(machine, 'eth0'), 'else this test shows nothing');
    await letGo();
    await waitFor('eth0 to have no route', async () => !(await hasRoute(machine, 'eth0')));
    await waitFor('the main table to count', async () => !(await isFenced(machine)));
    assert.equal(await wayTo(machine, '10.0.0.1'), 'eth1');
    assert.equal(await wayTo(machine, '2001:db8::1'), 'eth1');
    assert.doesNotMatch(await machine.namespace.ip('address', 'show', 'dev', 'eth0'), /inet6? (10|2001)/);
  });

  test('when the winner is lost before, the others are not shut out', async () => {
    await using resources = new Resources();
    const { machine, right, letGo } = await startWithStuckLoser(resources, '83', '84');
    assert.ok(await isFenced(machine));
    await right.setCarrier('eth1', false);
    await machine.until('eth1 to be lost', () => machine.working === null);
    await waitFor('the main table to count', async () => !(await isFenced(machine)));
    await letGo();
    await right.setCarrier('eth1', true);
    await machine.untilWorking('eth1');
    await waitFor('the main table to count again', async () => !(await isFenced(machine)));
  });
});
