import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scrubIdentity } from '../../../../agent/rootfs/scrub-identity.ts';
import { quietContext, snapshot, type TreeNode, writeTree } from '../../../builders/rootfs-tree.ts';
import { Resources } from '../../../resources.ts';

async function scrub(tree: Record<string, TreeNode>): Promise<{
  root: string;
  files: Record<string, string>;
  scrubbed: readonly string[];
  warnings: readonly string[];
  read: (path: string) => string;
}> {
  const resources = new Resources();
  test.after(() => resources[Symbol.asyncDispose]());
  const root = resources.tempDir();
  writeTree(root, tree);
  const report = await scrubIdentity({ root, espDevice: null }, quietContext);
  const read = (path: string): string => readFileSync(join(root, path), 'utf8');
  return { root, files: snapshot(root), ...report, read };
}

const traces: Record<string, TreeNode> = {
  'etc/ssh/ssh_host_ed25519_key': 'secret',
  'etc/ssh/ssh_host_ed25519_key.pub': 'public',
  'etc/ssh/ssh_host_rsa_key-cert.pub': 'cert',
  'etc/ssh/ssh_host_key': 'old',
  'etc/dropbear/dropbear_rsa_host_key': 'secret',
  'var/lib/systemd/random-seed': 'seed',
  'var/lib/systemd/credential.secret': 'secret',
  'var/lib/urandom/random-seed': 'seed',
  'boot/loader/random-seed': 'seed',
  'var/lib/cloud/instances/i-1/user-data.txt': 'x',
  'var/lib/cloud/instance': { link: '/var/lib/cloud/instances/i-1' },
  'var/lib/cloud/data/instance-id': 'i-1',
  'var/lib/cloud/sem/config_scripts': '',
  'var/log/cloud-init.log': 'x',
  'var/lib/dhcp/dhclient.eth0.leases': 'lease',
  'var/lib/dhcpcd/duid': 'duid',
  'var/lib/NetworkManager/secret_key': 'secret',
  'var/lib/NetworkManager/internal-1.lease': 'lease',
  'etc/udev/rules.d/70-persistent-net.rules': 'rule',
  'etc/nvme/hostnqn': 'nqn',
  'etc/lvm/devices/system.devices': 'devices',
  'var/lib/durantic/identity.json': '{}',
  'var/lib/durantic/outbox/1': '{}',
  'etc/netplan/50-cloud-init.yaml': 'network: old',
};

const staying: Record<string, TreeNode> = {
  'etc/ssh/sshd_config': 'config',
  'etc/ssh/ssh_known_hosts': 'hosts',
  'etc/udev/rules.d/99-mine.rules': 'rule',
  'var/lib/cloud/seed/x': 'seed',
  'var/lib/systemd/timers/x': 'timer',
  'etc/netplan/01-mine.yaml': 'network: mine',
  'var/lib/dhcp/README': 'x',
};

test('F42 golden image: every trace of the machine is gone, and nothing else', async () => {
  const { files, scrubbed } = await scrub({ 'etc/machine-id': 'abc\n', ...traces, ...staying });
  for (const path of Object.keys(traces)) assert.equal(files[path], undefined, path);
  for (const path of Object.keys(staying)) assert.ok(files[path]?.startsWith('file'), path);
  assert.match(files['etc/machine-id'] ?? '', /^file \d+ $/);
  assert.ok(scrubbed.includes('/etc/ssh/ssh_host_ed25519_key'));
  assert.ok(scrubbed.includes('/etc/machine-id'));
});

test('F42 machine-id: made empty where it says uninitialized, made where it is missing, and dbus links to it', async () => {
  const first = await scrub({ 'etc/machine-id': 'uninitialized\n', 'var/lib/dbus/machine-id': 'abc\n' });
  assert.equal(first.read('etc/machine-id'), '');
  assert.equal(readlinkSync(join(first.root, 'var/lib/dbus/machine-id')), '/etc/machine-id');
  const second = await scrub({ 'etc/hostname': 'x' });
  assert.equal(second.read('etc/machine-id'), '');
  assert.equal(second.files['var/lib/dbus/machine-id'], undefined);
});

test('cloud-init network files stay where cloud-init would not render them again', async () => {
  const off = 'network: {config: disabled}\n';
  const { files } = await scrub({ ...traces, 'etc/cloud/cloud.cfg.d/05_net.cfg': off });
  assert.ok(files['etc/netplan/50-cloud-init.yaml']);
});

test('iSCSI: a generated name is generated anew, a chosen one stays', async () => {
  const file = 'etc/iscsi/initiatorname.iscsi';
  const debian = await scrub({ [file]: 'InitiatorName=iqn.1993-08.org.debian:01:abc\n', 'etc/debian_version': '12' });
  assert.equal(debian.read(file), 'GenerateName=yes\n');
  const fedora = await scrub({ [file]: 'InitiatorName=iqn.1994-05.com.redhat:abc\n' });
  assert.equal(fedora.files[file], undefined);
  const chosen = await scrub({ [file]: 'InitiatorName=iqn.2020-01.com.example:host1\n' });
  assert.match(chosen.read(file), /host1/);
});

test('says so when nobody will make host keys', async () => {
  const sshd = { 'usr/sbin/sshd': 'x' };
  assert.equal((await scrub(sshd)).warnings.length, 1);
  assert.deepEqual((await scrub({ ...sshd, 'usr/bin/cloud-init': 'x' })).warnings, []);
  assert.deepEqual((await scrub({ ...sshd, 'usr/lib/systemd/system/sshd-keygen@.service': 'x' })).warnings, []);
});

test('F49 hostile links: nothing outside the root is touched', async () => {
  await using resources = new Resources();
  const dir = resources.tempDir();
  const outside = join(dir, 'outside');
  writeTree(outside, {
    'machine-id': 'canary',
    'ssh/ssh_host_rsa_key': 'canary',
    'random-seed': 'canary',
    'instances/i/x': 'canary',
  });
  const before = snapshot(outside);
  writeTree(join(dir, 'root'), {
    etc: { link: '../outside' },
    'var/lib/systemd': { link: outside },
    'var/lib/cloud': { link: '../../../outside' },
    'var/lib/dbus': { link: '/../../outside' },
  });
  await scrubIdentity({ root: join(dir, 'root'), espDevice: null }, quietContext);
  assert.deepEqual(snapshot(outside), before);
});
