import { existsSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { startRegistry } from '../../test/builders/registry.ts';
import type { Resources } from '../../test/resources.ts';
import { userNetHost } from '../../test/vm/installer-server.ts';
import { distDir } from '../build/paths.ts';

/** An image as a folder, and what it is to be called. */
export interface Layout {
  readonly name: string;
  readonly dir: string;
}

/** A registry that host and machine reach, each by a name of its own. */
export interface EmulationRegistry {
  /** For this host: `127.0.0.1:PORT`. */
  readonly host: string;
  /** For the machine, and so in every image's URL. */
  readonly name: string;
  readonly images: readonly { readonly name: string; readonly url: string }[];
}

/**
 * The images of `--image`, or all that `scripts/build-image` has built, by name.
 * @throws Error that names one that is not there, and how to build it.
 */
export function findLayouts(wanted: readonly string[] | null, imagesDir = join(distDir, 'images')): Layout[] {
  const isLayout = (dir: string): boolean => existsSync(join(dir, 'oci-layout'));
  if (wanted === null) {
    const built = existsSync(imagesDir) ? readdirSync(imagesDir).sort() : [];
    return built.map((name) => ({ name, dir: join(imagesDir, name) })).filter(({ dir }) => isLayout(dir));
  }
  return wanted.map((text) => {
    const dir = text.includes('/') ? resolve(text) : join(imagesDir, text);
    if (isLayout(dir)) return { name: imageName(dir), dir };
    const hint = text.includes('/') ? 'the folder is no OCI layout' : `"scripts/build-image ${text}" builds it`;
    throw new Error(`--image: there is no image ${text}: ${hint}`);
  });
}

/** As registries take it (distribution-spec, "Pulling manifests"). @throws Error */
function imageName(dir: string): string {
  const name = basename(dir).toLowerCase();
  if (/^[a-z0-9]+([._-][a-z0-9]+)*$/.test(name)) return name;
  throw new Error(`--image: "${basename(dir)}" cannot be the name of an image; give the folder another one`);
}

/** Starts the registry on loopback and puts the images into it; what it has already is not copied again. */
export async function openRegistry(
  resources: Resources,
  { dir, port, images }: { readonly dir: string; readonly port: number; readonly images: readonly Layout[] },
): Promise<EmulationRegistry> {
  const registry = await startRegistry(resources, { port, dataDir: join(dir, 'registry') });
  const name = `${userNetHost}:${port}`;
  for (const image of images) await registry.push(`oci:${image.dir}`, `${image.name}:latest`);
  const offered = images.map((image) => ({ name: image.name, url: `http://${name}/${image.name}:latest` }));
  return { host: registry.host, name, images: offered };
}
