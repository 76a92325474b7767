import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { agentUnit } from '../../../../agent/rootfs/agent-unit.ts';
import { type InjectionResult, injectAgent } from '../../../../agent/rootfs/inject-agent.ts';
import { locateBundle } from '../../../../agent/rootfs/locate-bundle.ts';
import { ProvisionError } from '../../../../core/base/errors.ts';
import type { BundleManifest } from '../../../../protocol/bundle-manifest.ts';
import { elfFile, quietContext, snapshot, type TreeNode, writeTree } from '../../../builders/rootfs-tree.ts';
import { Resources } from '../../../resources.ts';

const parts = [
  { path: 'durantic', data: 'the program', mode: '0755', role: 'program', glibc: '2.28' },
  { path: 'libatomic.so.1', data: 'atomic', mode: '0644', role: 'library', glibc: '2.14' },
  { path: 'fallback/libstdc++.so.6', data: 'stdc++', mode: '0644', role: 'fallback', glibc: '2.36' },
  { path: 'fallback/libgcc_s.so.1', data: 'gcc', mode: '0644', role: 'fallback', glibc: '2.35' },
] as const;

const manifest: BundleManifest = {
  format: 1,
  name: 'durantic',
  version: '9.9.9',
  commit: 'abc',
  node: '26.0.0',
  platform: 'linux-x64',
  files: parts.map(({ data, ...part }) => ({
    ...part,
    sha256: createHash('sha256').update(data).digest('hex'),
    bytes: data.length,
    licence: 'Apache-2.0',
  })),
};

const loader = '/lib64/ld-linux-x86-64.so.2';
const libDir = 'usr/lib/x86_64-linux-gnu';
const glibc = (version: string): Buffer => elfFile({ text: `GNU C Library stable release version ${version}.\n` });

/** A merged-usr Debian as far as injection looks. */
const debian: Record<string, TreeNode> = {
  bin: { link: 'usr/bin' },
  sbin: { link: 'usr/sbin' },
  lib: { link: 'usr/lib' },
  lib64: { link: 'usr/lib64' },
  'usr/bin/sh': elfFile({ interpreter: loader }),
  'usr/lib64/ld-linux-x86-64.so.2': elfFile(),
  [`${libDir}/libc.so.6`]: glibc('2.36'),
  [`${libDir}/libstdc++.so.6.0.30`]: elfFile(),
  [`${libDir}/libstdc++.so.6`]: { link: 'libstdc++.so.6.0.30' },
  [`${libDir}/libgcc_s.so.1`]: elfFile(),
  'usr/lib/systemd/systemd': elfFile(),
  'usr/sbin/init': { link: '../lib/systemd/systemd' },
  'etc/fstab': 'UUID=x / ext4 defaults 0 1\nUUID=y /boot/efi vfat defaults 0 0\n',
};

const record = {
  provision_uuid: '11111111-2222-4333-8444-555555555555',
  image: 'registry.example/os:1',
  image_digest: `sha256:${'0'.repeat(64)}`,
  installed_at: '2030-01-01T00:00:00Z',
  disk: { serial: 'S1', wwn: null },
};

interface Injected extends InjectionResult {
  readonly root: string;
  readonly files: Record<string, string>;
}

async function inject(
  tree: Record<string, TreeNode>,
  options: { agentConfig?: string; damage?: string } = {},
): Promise<Injected> {
  const resources = new Resources();
  test.after(() => resources[Symbol.asyncDispose]());
  const dir = resources.tempDir();
  const [root, bundle] = [join(dir, 'root'), join(dir, 'bundle')];
  writeTree(root, { 'etc/os-release': '', ...tree });
  writeTree(bundle, Object.fromEntries(parts.map(({ path, data }) => [path, data])));
  if (options.damage !== undefined) writeFileSync(join(bundle, options.damage), 'The program');
  const result = await injectAgent(
    { root, bundle: { dir: bundle, manifest }, agentConfig: options.agentConfig ?? null, identity: null, record },
    quietContext,
  );
  return { ...result, root, files: snapshot(root) };
}

async function refusal(tree: Record<string, TreeNode>): Promise<string> {
  let message = 'accepted';
  await assert.rejects(inject(tree), (error) => {
    assert.ok(error instanceof ProvisionError, String(error));
    assert.equal(error.code, 'injection_impossible');
    message = error.message;
    return true;
  });
  return message;
}

const without = (...paths: string[]): Record<string, TreeNode> =>
  Object.fromEntries(Object.entries(debian).filter(([path]) => !paths.includes(path)));

test('F65 merged /usr: files, modes, links and the enabled unit', async () => {
  const { root, files, laidDown, glibcVersion, version } = await inject(debian, {
    agentConfig: 'server: https://x.test\n',
  });
  assert.deepEqual([version, glibcVersion, laidDown], ['9.9.9', '2.36', []]);
  const mode = (path: string): string => (statSync(join(root, path)).mode & 0o7777).toString(8);
  assert.equal(mode('usr/local/lib/durantic/durantic'), '755');
  assert.equal(mode('usr/local/lib/durantic/libatomic.so.1'), '644');
  assert.equal(readFileSync(join(root, 'usr/local/lib/durantic/durantic'), 'utf8'), 'the program');
  assert.equal(readlinkSync(join(root, 'usr/local/bin/durantic')), '../lib/durantic/durantic');
  assert.equal(mode('etc/durantic/agent.yaml'), '600');
  assert.equal(mode('var/lib/durantic'), '700');
  assert.equal(mode('var/lib/durantic/provision.json'), '600');
  assert.deepEqual(JSON.parse(readFileSync(join(root, 'var/lib/durantic/provision.json'), 'utf8')), record);
  assert.equal(files['var/lib/durantic/identity.json'], undefined);
  assert.equal(readFileSync(join(root, 'etc/systemd/system/durantic-agent.service'), 'utf8'), agentUnit);
  const wants = 'etc/systemd/system/multi-user.target.wants/durantic-agent.service';
  assert.equal(readlinkSync(join(root, wants)), '/etc/systemd/system/durantic-agent.service');
  assert.equal(files['usr/local/lib/durantic/libstdc++.so.6'], undefined);
});

test('the injected folder is a bundle again', async () => {
  const { root } = await inject(debian);
  const dir = join(root, 'usr/local/lib/durantic');
  await using bundle = await locateBundle({ bundle: dir, signal: quietContext.signal });
  assert.deepEqual(bundle.manifest, manifest);
  for (const { path, data } of parts) assert.equal(readFileSync(join(dir, path), 'utf8'), data);
});

test('F65 no libstdc++ and no libgcc_s: the fallback is laid down beside the program', async () => {
  const bare = without(`${libDir}/libstdc++.so.6`, `${libDir}/libgcc_s.so.1`);
  const { laidDown, root } = await inject(bare);
  assert.deepEqual(laidDown, ['libstdc++.so.6', 'libgcc_s.so.1']);
  assert.equal(readFileSync(join(root, 'usr/local/lib/durantic/libstdc++.so.6'), 'utf8'), 'stdc++');
});

test('F65 a dangling libstdc++.so.6 counts as missing, one in a folder of ld.so.conf does not', async () => {
  assert.deepEqual((await inject(without(`${libDir}/libstdc++.so.6.0.30`))).laidDown, ['libstdc++.so.6']);
  const elsewhere = {
    ...without(`${libDir}/libgcc_s.so.1`),
    'etc/ld.so.conf.d/x.conf': '# x\n/opt/lib\n',
    'opt/lib/libgcc_s.so.1': elfFile(),
  };
  assert.deepEqual((await inject(elsewhere)).laidDown, []);
});

test('F65 no libstdc++ and a glibc too old for ours: refused before anything is written', async () => {
  const old = { ...without(`${libDir}/libstdc++.so.6`), [`${libDir}/libc.so.6`]: glibc('2.31') };
  assert.match(await refusal(old), /lacks libstdc\+\+\.so\.6.*2\.36.*2\.31/);
});

const refusals: readonly (readonly [string, Record<string, TreeNode>, RegExp])[] = [
  ['another architecture', { ...debian, 'usr/bin/sh': elfFile({ machine: 183 }) }, /is for aarch64/],
  [
    'musl',
    {
      ...without('usr/lib64/ld-linux-x86-64.so.2'),
      'usr/bin/sh': elfFile({ interpreter: '/lib/ld-musl-x86_64.so.1' }),
    },
    /musl/,
  ],
  ['no glibc loader', without('usr/lib64/ld-linux-x86-64.so.2'), /no \/lib64\/ld-linux/],
  ['an old glibc', { ...debian, [`${libDir}/libc.so.6`]: glibc('2.17') }, /glibc 2\.17, the agent needs 2\.28/],
  ['no systemd', without('usr/lib/systemd/systemd'), /no systemd/],
  ['another init', { ...debian, 'usr/sbin/init': elfFile() }, /does not start systemd/],
  ['no programs at all', { 'etc/fstab': '' }, /no program/],
  ['an OSTree deployment', { ...debian, 'ostree/deploy/fedora/x': '' }, /OSTree/],
  ['a separate /usr', { ...debian, 'etc/fstab': 'UUID=x /usr ext4 ro 0 0\n' }, /mounts another filesystem on \/usr/],
  ['a separate /var', { ...debian, 'etc/fstab': '# x\nUUID=x\t/var\txfs\tdefaults\n' }, /on \/var, which will hide/],
];
for (const [name, tree, expected] of refusals) {
  test(`F65 ${name}: refused with the reason`, async () => assert.match(await refusal(tree), expected));
}

test('F65 a mount that is not automatic hides nothing', async () => {
  await inject({ ...debian, 'etc/fstab': 'UUID=x /usr ext4 ro,noauto 0 0\nUUID=z /usr/share/x ext4 ro 0 0\n' });
});

test('the symbol versions tell the glibc where it does not say its release', async () => {
  const symbols = elfFile({ text: 'GLIBC_2.4\0GLIBC_2.34\0GLIBC_2.9\0' });
  assert.equal((await inject({ ...debian, [`${libDir}/libc.so.6`]: symbols })).glibcVersion, '2.34');
});

test('a damaged bundle is refused: other bytes, other length, missing file', async () => {
  await assert.rejects(inject(debian, { damage: 'durantic' }), { code: 'digest_mismatch' });
  await assert.rejects(inject(debian, { damage: 'libatomic.so.1' }), { code: 'size_mismatch' });
});

test('a bad agent.yaml is refused', async () => {
  await assert.rejects(inject(debian, { agentConfig: 'sever: https://x\n' }), { code: 'document_invalid' });
});

test('what the image has in the places of the agent is replaced, links are not followed', async () => {
  const { root, files } = await inject({
    ...debian,
    'usr/local/lib/durantic/old': 'old',
    'usr/local/bin/durantic': { link: '/etc/passwd' },
    'etc/passwd': 'root',
    'etc/systemd/system/durantic-agent.service': { link: '/dev/null' },
  });
  assert.equal(files['usr/local/lib/durantic/old'], undefined);
  assert.equal(readFileSync(join(root, 'etc/passwd'), 'utf8'), 'root');
  assert.ok(files['etc/systemd/system/durantic-agent.service']?.startsWith('file 644'));
});

test('F49 hostile links: nothing is written outside the root', async () => {
  const resources = new Resources();
  test.after(() => resources[Symbol.asyncDispose]());
  const outside = resources.tempDir();
  writeTree(outside, { canary: 'x', 'lib/durantic/durantic': 'canary' });
  const before = snapshot(outside);
  await inject({
    ...debian,
    'usr/local': { link: `../../../../../../..${outside}` },
    'var/lib/durantic': { link: outside },
    'etc/systemd': { link: outside },
  });
  assert.deepEqual(snapshot(outside), before);
});

test('the unit that is injected is the one in installer/', () => {
  const file = join(import.meta.dirname, '../../../../installer/durantic-agent.service');
  assert.equal(agentUnit, readFileSync(file, 'utf8'));
});
