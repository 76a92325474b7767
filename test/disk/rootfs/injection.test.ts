import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { requestAutorelabel } from '../../../agent/rootfs/autorelabel.ts';
import { injectAgent } from '../../../agent/rootfs/inject-agent.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import type { BundleManifest } from '../../../protocol/bundle-manifest.ts';
import { elfFile, quietContext, type TreeNode, writeTree } from '../../builders/rootfs-tree.ts';
import { Resources } from '../../resources.ts';

const mib = 1024 * 1024;
const programBytes = 24 * mib;
const system: Record<string, TreeNode> = {
  'bin/sh': elfFile({ interpreter: '/lib64/ld-linux-x86-64.so.2' }),
  'lib64/ld-linux-x86-64.so.2': elfFile(),
  'lib64/libc.so.6': elfFile({ text: 'stable release version 2.36.' }),
  'lib/systemd/systemd': elfFile(),
  'sbin/init': { link: '/lib/systemd/systemd' },
};

async function ext4(resources: Resources, options?: string): Promise<string> {
  const device = await resources.loop(resources.sparseFile(32 * mib));
  await runCommand('mkfs.ext4', ['-q', '-m', '0', device]);
  const root = await resources.mount(device, { type: 'ext4', ...(options === undefined ? {} : { options }) });
  writeTree(root, system);
  return root;
}

async function inject(resources: Resources, root: string, sizeBytes: number): Promise<void> {
  const dir = resources.tempDir();
  const program = Buffer.alloc(sizeBytes, 0x5a);
  writeTree(dir, { durantic: program });
  const sha256 = createHash('sha256').update(program).digest('hex');
  const file = {
    path: 'durantic',
    bytes: sizeBytes,
    mode: '0755',
    role: 'program',
    glibc: '2.28',
    licence: 'x',
  } as const;
  const manifest: BundleManifest = {
    format: 1,
    name: 'durantic',
    version: '1',
    commit: 'x',
    node: '26',
    platform: 'linux-x64',
    files: [{ ...file, sha256 }],
  };
  const record = {
    provision_uuid: '11111111-2222-4333-8444-555555555555',
    image: 'x',
    image_digest: 'x',
    installed_at: '2030-01-01T00:00:00Z',
    disk: { serial: null, wwn: null },
  };
  await injectAgent({ root, bundle: { dir, manifest }, agentConfig: null, identity: null, record }, quietContext);
}

test('F65 an immutable /usr/local is refused by name', async () => {
  await using resources = new Resources();
  const root = await ext4(resources);
  writeTree(root, { 'usr/local/lib/x': '' });
  const folder = join(root, 'usr/local/lib');
  await runCommand('chattr', ['+i', folder]);
  resources.defer('chattr -i', async () => {
    await runCommand('chattr', ['-i', folder]);
  });
  await assert.rejects(inject(resources, root, 1000), {
    code: 'injection_impossible',
    message: /\/usr\/local\/lib.* is immutable/,
  });
});

test('F65 a read-only root is refused', async () => {
  await using resources = new Resources();
  const root = await ext4(resources);
  await runCommand('mount', ['-o', 'remount,ro', root]);
  await assert.rejects(inject(resources, root, 1000), { code: 'injection_impossible', message: /is read-only/ });
});

test('F60 a root without room for the agent: root_full, naming the file', async () => {
  await using resources = new Resources();
  const root = await ext4(resources);
  await inject(resources, root, 1000);
  await assert.rejects(inject(resources, root, programBytes * 2), {
    code: 'root_full',
    message: /\/usr\/local\/lib\/durantic\/durantic/,
  });
});

const policy: Record<string, TreeNode> = {
  'etc/selinux/config': '# x\nSELINUX=enforcing\nSELINUXTYPE=targeted\n',
  'etc/selinux/targeted/policy/policy.33': 'policy',
  'etc/fstab': '',
};

async function labelAll(root: string): Promise<void> {
  for (const path of ['etc', 'etc/fstab', 'usr/bin', 'var/lib'].filter((path) => existsSync(join(root, path)))) {
    await runCommand('setfattr', ['-n', 'security.selinux', '-v', 'system_u:object_r:etc_t:s0', join(root, path)]);
  }
}

test('F46 SELinux policy and files without labels: the first boot relabels', async () => {
  await using resources = new Resources();
  const root = await ext4(resources);
  writeTree(root, policy);
  const result = requestAutorelabel(root);
  assert.equal(result.isRequested, true);
  assert.match(result.reason, /has no SELinux label/);
  assert.equal(existsSync(join(root, '.autorelabel')), true);
});

test('F46 all files labelled: no relabel, until the installation writes one without', async () => {
  await using resources = new Resources();
  const root = await ext4(resources);
  writeTree(root, policy);
  await labelAll(root);
  assert.equal(requestAutorelabel(root).isRequested, false);
  assert.equal(existsSync(join(root, '.autorelabel')), false);
  writeTree(root, { 'var/lib/durantic/provision.json': '{}' });
  await labelAll(root);
  assert.match(requestAutorelabel(root).reason, /provision\.json has no SELinux label/);
});

test('F46 no policy, or one that is switched off: no relabel', async () => {
  await using resources = new Resources();
  const root = await ext4(resources);
  assert.equal(requestAutorelabel(root).isRequested, false);
  writeTree(root, { ...policy, 'etc/selinux/config': 'SELINUX=disabled\nSELINUXTYPE=targeted\n' });
  assert.equal(requestAutorelabel(root).isRequested, false);
  assert.equal(existsSync(join(root, '.autorelabel')), false);
});
