import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { type CloudInitSeed, type SeedResult, writeCloudInitSeed } from '../../../../agent/rootfs/cloud-init-seed.ts';
import { snapshot, type TreeNode, writeTree } from '../../../builders/rootfs-tree.ts';
import { Resources } from '../../../resources.ts';

const link = {
  name: 'eth0',
  macAddress: '52:54:00:12:34:56',
  vlanId: null,
  dhcp4: true,
  addresses: [],
  gateways: [],
  nameservers: [],
  searchDomains: [],
  mtuBytes: null,
};
const seedDir = 'var/lib/cloud/seed/nocloud';
const cloudInit = { 'usr/bin/cloud-init': '#!/usr/bin/python3\n' };
const netplan = { 'usr/sbin/netplan': 'x' };

function seed(
  tree: Record<string, TreeNode>,
  options: Partial<CloudInitSeed> = {},
): SeedResult & { read: (name: string) => string; files: Record<string, string>; root: string } {
  const resources = new Resources();
  test.after(() => resources[Symbol.asyncDispose]());
  const root = resources.tempDir();
  writeTree(root, tree);
  const result = writeCloudInitSeed({
    root,
    provisionUuid: '11111111-2222-4333-8444-555555555555',
    hostname: null,
    userData: null,
    metaData: null,
    vendorData: null,
    networkConfig: null,
    link: null,
    ...options,
  });
  return { ...result, root, files: snapshot(root), read: (path) => readFileSync(join(root, path), 'utf8') };
}

test("F51 the datasource is pinned in one line, in a file that sorts after the image's", () => {
  const {
    read,
    root,
    cloudInit: presence,
    warnings,
  } = seed(
    { ...cloudInit, ...netplan, 'etc/cloud/cloud.cfg.d/90_dpkg.cfg': 'datasource_list: [ NoCloud, Ec2, None ]\n' },
    { userData: '#cloud-config\nhostname: x\n', hostname: 'node7' },
  );
  assert.equal(presence, 'present');
  assert.deepEqual(warnings, []);
  assert.match(read('etc/cloud/cloud.cfg.d/99_durantic.cfg'), /^datasource_list: \[NoCloud, None\]$/m);
  for (const name of ['user-data', 'meta-data', 'vendor-data', 'network-config']) {
    assert.equal(statSync(join(root, seedDir, name)).mode & 0o777, 0o600, name);
  }
  assert.equal(read(`${seedDir}/user-data`), '#cloud-config\nhostname: x\n');
  assert.deepEqual(parse(read(`${seedDir}/meta-data`)), {
    'instance-id': '11111111-2222-4333-8444-555555555555',
    'local-hostname': 'node7',
  });
});

test("the image's own instance, seed and switch are gone", () => {
  const { files } = seed({
    ...cloudInit,
    'etc/cloud/cloud-init.disabled': '',
    'var/lib/cloud/instance': { link: 'instances/i-1' },
    'var/lib/cloud/instances/i-1/x': 'x',
    [`${seedDir}/extra`]: 'stale',
  });
  assert.equal(files['etc/cloud/cloud-init.disabled'], undefined);
  assert.equal(files['var/lib/cloud/instance'], undefined);
  assert.equal(files['var/lib/cloud/instances'], undefined);
  assert.equal(files[`${seedDir}/extra`], undefined);
});

test('given meta-data is kept, but for the instance-id', () => {
  const { read } = seed(cloudInit, { metaData: 'instance-id: mine\nlocal-hostname: a\nrack: 012\n', hostname: null });
  const values = parse(read(`${seedDir}/meta-data`)) as Record<string, unknown>;
  assert.equal(values['instance-id'], '11111111-2222-4333-8444-555555555555');
  assert.equal(values['local-hostname'], 'a');
});

test('network: the given document, else the link by MAC, which YAML 1.1 must not read as a number', () => {
  assert.equal(
    seed(cloudInit, { networkConfig: 'version: 1\nconfig: []\n', link }).read(`${seedDir}/network-config`),
    'version: 1\nconfig: []\n',
  );
  const text = seed(cloudInit, { link }).read(`${seedDir}/network-config`);
  assert.deepEqual(parse(text, { version: '1.1' }), {
    version: 2,
    ethernets: { durantic0: { match: { macaddress: '52:54:00:12:34:56' }, dhcp4: true, 'dhcp-identifier': 'mac' } },
  });
});

test('network: an old cloud-init finds the link only by renaming it', () => {
  const old = { ...cloudInit, 'usr/lib/python3/dist-packages/cloudinit/version.py': '__VERSION__ = "20.4.1"\n' };
  const document = parse(seed(old, { link }).read(`${seedDir}/network-config`)) as {
    ethernets: Record<string, object>;
  };
  assert.deepEqual(Object.keys(document.ethernets), ['eth0']);
  assert.equal((document.ethernets['eth0'] as Record<string, unknown>)['set-name'], 'eth0');
});

test("network: without a link, every Ethernet where netplan renders, else cloud-init's own choice", () => {
  const name = `${seedDir}/network-config`;
  assert.match(seed({ ...cloudInit, ...netplan }).read(name), /name: "e\*"/);
  assert.equal(seed(cloudInit).files[name], undefined);
  assert.equal(seed({ ...cloudInit, ...netplan, 'usr/sbin/ifup': 'x' }).files[name], undefined);
  const chosen = { 'etc/cloud/cloud.cfg.d/10_x.cfg': 'system_info:\n  network:\n    renderers: [netplan]\n' };
  assert.ok(seed({ ...cloudInit, ...netplan, 'usr/sbin/ifup': 'x', ...chosen }).files[name]);
});

test('static address and VLAN', () => {
  const tagged = {
    ...link,
    dhcp4: false,
    vlanId: 42,
    addresses: ['10.0.0.5/24'],
    gateways: ['10.0.0.1', '2001:db8::1'],
    nameservers: ['10.0.0.2'],
    mtuBytes: 9000,
  };
  const documentOf = (tree: Record<string, TreeNode>): unknown =>
    parse(seed(tree, { link: tagged }).read(`${seedDir}/network-config`), { version: '1.1' });
  const vlan = {
    id: 42,
    dhcp4: false,
    addresses: ['10.0.0.5/24'],
    gateway4: '10.0.0.1',
    gateway6: '2001:db8::1',
    nameservers: { addresses: ['10.0.0.2'] },
  };
  const device = { match: { macaddress: link.macAddress }, mtu: 9000 };
  assert.deepEqual(documentOf({ ...cloudInit, ...netplan }), {
    version: 2,
    ethernets: { durantic0: device },
    vlans: { vlan42: { ...vlan, link: 'durantic0' } },
  });
  // The other renderers take `link` for a device's name (test/net/provision/network-config.test.ts).
  assert.deepEqual(documentOf(cloudInit), {
    version: 2,
    ethernets: { eth0: { ...device, 'set-name': 'eth0' } },
    vlans: { vlan42: { ...vlan, link: 'eth0' } },
  });
});

test('an image without cloud-init gets the seed and a warning', () => {
  const result = seed({ 'etc/hostname': 'x' });
  assert.equal(result.cloudInit, 'absent');
  assert.equal(result.warnings.length, 1);
  assert.ok(result.files[`${seedDir}/user-data`]);
});

test('warns of what keeps the seed from being used', () => {
  const late = seed({ ...cloudInit, 'etc/cloud/cloud.cfg.d/99_zz.cfg': 'datasource_list: [Ec2]\n' });
  assert.match(late.warnings.join(), /99_zz\.cfg/);
  const masked = seed({ ...cloudInit, 'etc/systemd/system/cloud-init.service': { link: '/dev/null' } });
  assert.match(masked.warnings.join(), /cloud-init\.service is masked/);
  const hidden = seed({ ...cloudInit, 'etc/fstab': 'UUID=x /var ext4 defaults 0 2\n' });
  assert.match(hidden.warnings.join(), /on \/var, which will hide the seed/);
  const off = seed({ ...cloudInit, 'etc/cloud/cloud.cfg.d/05.cfg': 'network: {config: disabled}\n' });
  assert.match(off.warnings.join(), /leave the network alone/);
});

test('F49 hostile links: the seed lands inside the root', () => {
  const resources = new Resources();
  test.after(() => resources[Symbol.asyncDispose]());
  const dir = resources.tempDir();
  writeTree(dir, { 'outside/canary': 'x', 'root/usr/bin/cloud-init': 'x' });
  writeTree(join(dir, 'root'), { 'var/lib': { link: '../../outside' }, 'etc/cloud': { link: '/../../outside' } });
  const before = snapshot(join(dir, 'outside'));
  writeCloudInitSeed({
    root: join(dir, 'root'),
    provisionUuid: 'x',
    hostname: null,
    userData: null,
    metaData: null,
    vendorData: null,
    networkConfig: null,
    link: null,
  });
  assert.deepEqual(snapshot(join(dir, 'outside')), before);
  assert.ok(snapshot(join(dir, 'root'))['outside/cloud/seed/nocloud/user-data']);
});
