import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../../core/base/run-command.ts';
import { type Registry, startRegistry } from '../builders/registry.ts';
import type { Resources } from '../resources.ts';

const repo = new URL('../..', import.meta.url).pathname;

/** The built binary; what travels with it lies next to it. */
export const binary = join(repo, 'dist/durantic');

export interface PushedImage {
  readonly registry: Registry;
  /** Reference for programs of this machine. */
  readonly reference: string;
  /** The same from inside a guest: QEMU's user network shows the host's loopback as 10.0.2.2. */
  readonly guestReference: string;
}

/** The image of a recipe as it stands now, built unless it is there: `oci:DIR`. */
export async function buildDebianImage(recipe: 'debian-12' | 'debian-13' = 'debian-12'): Promise<string> {
  await runCommand(join(repo, 'scripts/build-image'), [recipe]);
  return `oci:${join(repo, 'dist/images', recipe)}`;
}

/** That image in a registry of this test's own. */
export async function pushDebianImage(resources: Resources): Promise<PushedImage> {
  const source = await buildDebianImage();
  const registry = await startRegistry(resources);
  const reference = await registry.push(source, 'debian:12');
  return { registry, reference, guestReference: reference.replace('127.0.0.1', '10.0.2.2') };
}

/** The bundle as it is shipped, unpacked: what a guest gets, and nothing else that lies in `dist`. */
export async function unpackBundle(resources: Resources): Promise<string> {
  const dir = resources.tempDir('durantic-bundle-');
  await runCommand('tar', ['-xzf', join(repo, 'dist/durantic-linux-x64.tar.gz'), '-C', dir]);
  const names = readdirSync(dir);
  return names.includes('durantic') ? dir : join(dir, names[0] ?? '');
}
