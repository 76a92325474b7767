import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OneShotFiles, Placed } from '../../../../agent/reentry/one-shot.ts';
import { type GrubPlace, prepareGrubOnce } from '../../../../agent/reentry/one-shot-grub.ts';
import { ProvisionError } from '../../../../core/base/errors.ts';
import { silentLogger } from '../../../../core/base/logger.ts';
import { bootLayout } from '../../../builders/boot-layout.ts';
import { type TreeNode, writeTree } from '../../../builders/rootfs-tree.ts';
import type { Resources } from '../../../resources.ts';

export const fixture = (path: string): string => readFileSync(join(import.meta.dirname, '../../../..', path), 'utf8');
export const kernel = Buffer.from('the installer');
const commandLine = 'console=ttyS0,115200 durantic.server=https://10.0.0.1:8443 ip=[fd00::2]::[fd00::1]:64:::none';
export const debian = fixture('test/fixtures/grub/debian-12-grub.cfg');
const kernels: Record<string, TreeNode> = {
  'boot/vmlinuz-6.1.0-18-amd64': 'k18',
  'boot/initrd.img-6.1.0-18-amd64': 'i18',
  vmlinuz: { link: 'boot/vmlinuz-6.1.0-18-amd64' },
  'initrd.img': { link: 'boot/initrd.img-6.1.0-18-amd64' },
};

export interface System {
  readonly place: GrubPlace;
  readonly files: OneShotFiles;
  readonly noted: Placed[];
  readonly path: (name: string) => string;
  prepare(): Promise<string>;
}

/** A system with this grub.cfg in its root. */
export function system(
  resources: Resources,
  config: string,
  more: Record<string, TreeNode> = {},
  onEsp: Pick<GrubPlace, 'esp' | 'platform'> = { esp: null, platform: 'pc' },
): System {
  const root = resources.tempDir();
  writeTree(root, { ...kernels, 'boot/grub/grub.cfg': config, ...more });
  writeFileSync(join(root, 'installer'), kernel);
  const layout = bootLayout(root);
  const partitions = layout.partitions.map((identity) => ({ identity, device: '/dev/none', mountPoint: null }));
  const disk = { path: '/dev/none', partitions };
  const place: GrubPlace = {
    ...{ dir: '/boot/grub', root, disk, rootNumber: 3, bootNumber: null, ...onEsp },
  };
  const sha256 = createHash('sha256').update(kernel).digest('hex');
  const installer = { path: join(root, 'installer'), sha256, sizeBytes: kernel.length };
  const files = { installer, initrd: Buffer.from('state'), commandLine };
  const noted: Placed[] = [];
  const context = { runDir: root, log: silentLogger, signal: new AbortController().signal };
  const note = (placed: Placed): void => void noted.push(placed);
  return {
    ...{ place, files, noted },
    path: (name) => join(root, 'boot/grub', name),
    prepare: async () => (await prepareGrubOnce(place, files, { ...context, note })).said,
  };
}

export const unreachable = (expected: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ProvisionError && error.code === 'installer_unreachable');
  assert.match(error.message, expected);
  return true;
};
