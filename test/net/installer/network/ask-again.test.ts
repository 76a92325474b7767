import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { runCommand } from '../../../../core/base/run-command.ts';
import { InstallerMachine } from '../../../builders/installer-network.ts';
import { type OutsideServer, startOutsideServer, TestNetwork } from '../../../builders/network-namespaces.ts';
import { Resources, waitFor } from '../../../resources.ts';

const shared = new Resources();
let server: OutsideServer;
before(async () => {
  server = await startOutsideServer(shared);
});
after(async () => await shared[Symbol.asyncDispose]());

const noRouter = 'dhcp-option=option:router';

/** Process ids of the DHCP clients. */
async function clients(machine: InstallerMachine): Promise<string[]> {
  const names = await Promise.all(
    (await machine.pids()).map(async (pid) => {
      const { stdout } = await runCommand('ps', ['-o', 'args=', '-p', pid], { okExitCodes: [0, 1] });
      return stdout.includes('udhcpc') ? pid : '';
    }),
  );
  return names.filter((pid) => pid !== '');
}

describe('the network is asked again when its addresses lead nowhere', { concurrency: 3 }, () => {
  test('a router that the DHCP server names only later is used, though the lease is good for long', async () => {
    await using resources = new Resources();
    const range = 'dhcp-range=10.71.0.50,10.71.0.99,1h';
    const options = { addresses: ['10.71.0.1/24'], dnsmasq: [range, noRouter] };
    const network = await TestNetwork.create(resources, server.namespace, options);
    const machine = await InstallerMachine.create(resources);
    machine.describe('eth0');
    await network.plug(machine.namespace, 'eth0');
    machine.start('ip=dhcp', { server: server.url, pin: server.pin }, { askAgainMs: 1000 });
    await machine.untilLink('eth0', { stage: 'failed', detail: /no route to the server/ });
    await network.start([range]);
    await machine.untilWorking('eth0');
  });

  test("a switch's port that is put into another VLAN leads to its addresses, without any loss of the carrier", async () => {
    await using resources = new Resources();
    const of = async (net: string, ...more: string[]): Promise<TestNetwork> =>
      await TestNetwork.create(resources, server.namespace, {
        ...{ addresses: [`${net}.1/24`], dnsmasq: [`dhcp-range=${net}.50,${net}.99,1h`, ...more] },
      });
    const [wrong, right] = [await of('10.72.0', noRouter), await of('10.73.0')];
    const machine = await InstallerMachine.create(resources);
    machine.describe('eth0');
    await wrong.plug(machine.namespace, 'eth0');
    machine.start('ip=dhcp', { server: server.url, pin: server.pin }, { askAgainMs: 1000 });
    await machine.untilLink('eth0', { stage: 'failed', detail: /no route to the server/ });
    await server.namespace.ip('link', 'set', wrong.cableOf('eth0'), 'master', right.name);
    const { report } = await machine.untilWorking('eth0');
    assert.match(report.addresses.join(), /^10\.73\.0\.\d+\/24$/);
    assert.ok(!machine.reports('eth0').some(({ stage }, index) => index > 3 && stage === 'no_carrier'));
  });

  test('an address in use stays until its lease ends when neither server nor DHCP answers: connections go on', async () => {
    await using resources = new Resources();
    const own = await startOutsideServer(resources);
    const dnsmasq = ['dhcp-range=10.74.0.50,10.74.0.99,1h'];
    const network = await TestNetwork.create(resources, own.namespace, { addresses: ['10.74.0.1/24'], dnsmasq });
    const machine = await InstallerMachine.create(resources);
    machine.describe('eth0');
    await network.plug(machine.namespace, 'eth0');
    // Longer than it takes udhcpc to say that nobody answers.
    machine.start('ip=dhcp', { server: own.url, pin: own.pin }, { askAgainMs: 11_000 });
    const { report } = await machine.untilWorking('eth0');
    await network.stop();
    await own.namespace.ip('address', 'del', '10.0.0.1/32', 'dev', 'lo');
    machine.say('doubt');
    await machine.until('the link to be lost', () => machine.working === null, 40_000);
    const seen = new Set(await clients(machine));
    const askedTwice = async (): Promise<boolean> => {
      for (const pid of await clients(machine)) seen.add(pid);
      return seen.size >= 3;
    };
    await waitFor('the network to be asked again, twice', askedTwice, { timeoutMs: 60_000, intervalMs: 500 });
    assert.deepEqual(machine.link('eth0')?.addresses, report.addresses);
    assert.match(await machine.namespace.ip('-4', 'address', 'show', 'dev', 'eth0'), /inet 10\.74\.0\.\d+\/24/);
    await own.namespace.ip('address', 'add', '10.0.0.1/32', 'dev', 'lo');
    await machine.untilWorking('eth0', 60_000);
  });
});
