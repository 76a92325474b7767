import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readNetworkFacts } from '../../../agent/reentry/ip-facts.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { addNamespace } from '../../builders/add-namespace.ts';
import { writeTree } from '../../builders/rootfs-tree.ts';
import { Resources } from '../../resources.ts';

const signal = AbortSignal.timeout(60_000);

const network = `link set lo up
link add eno1 type veth peer name far1
link add eno2 type veth peer name far2
link set eno1 up
link set far1 up
link set eno2 up
link set far2 up
addr add 10.0.0.7/24 dev eno1
addr add 10.1.0.7/24 dev eno2
addr add fd00::7/64 dev eno1 nodad
route add default via 10.0.0.1
route add 192.0.2.0/24 via 10.0.0.254
route add 198.51.100.0/24 nexthop via 10.0.0.1 nexthop via 10.1.0.1
route add fd01::/64 nexthop via fe80::1 dev eno1 nexthop via fe80::2 dev eno2
rule add from 10.1.0.7 lookup 100
route add default via 10.1.0.3 table 100
`;

test('the kernel says how it leads a connection: own routes, several ways, rules, this machine itself', async () => {
  await using resources = new Resources();
  const namespace = await addNamespace(resources, 'ip-facts');
  await runCommand('ip', ['-n', namespace, '-batch', '-'], { input: network });
  const dir = resources.tempDir();
  const path = process.env['PATH'];
  writeTree(dir, { ip: { mode: 0o755, data: `#!/bin/sh\nexec env PATH='${path}' ip -n ${namespace} "$@"\n` } });
  process.env['PATH'] = `${dir}:${path}`;
  resources.defer('PATH', () => {
    process.env['PATH'] = path;
  });
  const facts = async (local: string, remote: string) => await readNetworkFacts({ local, remote }, signal);
  const { route, links, defaultRoutes } = await facts('::ffff:10.0.0.7', '::ffff:192.0.2.5');
  assert.deepEqual([route?.gateway, route?.dev], ['10.0.0.254', 'eno1']);
  assert.ok(links.some(({ ifname, link_type }) => ifname === 'lo' && link_type === 'loopback'));
  assert.deepEqual(defaultRoutes[0]?.gateway, '10.0.0.1');
  const hops = async (local: string, remote: string) =>
    (await facts(local, remote)).route?.nexthops?.map(({ gateway, dev }) => `${gateway} ${dev}`).sort();
  assert.deepEqual(await hops('10.0.0.7', '198.51.100.9'), ['10.0.0.1 eno1', '10.1.0.1 eno2']);
  assert.deepEqual(await hops('fd00::7', 'fd01::9'), ['fe80::1 eno1', 'fe80::2 eno2']);
  assert.equal((await facts('10.1.0.7', '203.0.113.9')).route?.gateway, '10.1.0.3');
  assert.equal((await facts('10.0.0.7', '10.1.0.7')).route?.type, 'local');
  const zoned = (await facts('fe80::1%eno2', 'fe80::2%eno2')).route;
  assert.deepEqual([zoned?.dev, zoned?.gateway], ['eno2', undefined]);
  assert.equal((await facts('fd00::7', '2001:db8::1')).route, null, 'no route');
});
