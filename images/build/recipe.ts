import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { ProvisionError } from '../../core/base/errors.ts';

const debianSchema = z.strictObject({
  suite: z.string().regex(/^[a-z]+$/),
  packages: z.array(z.string().min(1)).min(1),
  /** Folder that is laid over the root before the packages are configured; owner root, modes from the x bits. */
  overlay: z.string().optional(),
  /** Program run last, with the root's path. */
  customize: z.string().optional(),
});

const recipeSchema = z
  .strictObject({
    description: z.string(),
    debian: debianSchema.optional(),
    /** Another recipe whose image this one adds layers to. */
    from: z.string().optional(),
    /** Folders, each a layer; owner root. */
    layers: z.array(z.string()).default([]),
    labels: z.record(z.string(), z.string()).default({}),
  })
  .refine((recipe) => (recipe.debian === undefined) !== (recipe.from === undefined), {
    message: 'a recipe has either "debian" or "from"',
  });

export type DebianRecipe = z.infer<typeof debianSchema>;

/** A recipe with every path absolute. */
export interface Recipe extends z.infer<typeof recipeSchema> {
  readonly name: string;
  readonly folder: string;
}

/**
 * Reads `images/NAME/recipe.yaml`.
 * @throws ProvisionError `image_build_failed` for an unknown name (with the known ones) or a wrong file.
 */
export async function readRecipe(imagesFolder: string, name: string): Promise<Recipe> {
  const folder = join(imagesFolder, name);
  const file = join(folder, 'recipe.yaml');
  if (!/^[a-z0-9][a-z0-9.-]*$/.test(name) || !existsSync(file)) {
    const names = await recipeNames(imagesFolder);
    throw new ProvisionError('image_build_failed', `there is no recipe ${name}; there are: ${names.join(', ')}`);
  }
  return parseRecipe(await readFile(file, 'utf8'), { name, folder });
}

/** The recipe in `text`, its relative paths taken from `folder`. */
export function parseRecipe(text: string, place: { name: string; folder: string }): Recipe {
  const parsed = recipeSchema.safeParse(parseYaml(text, place.name));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ProvisionError(
      'image_build_failed',
      `images/${place.name}/recipe.yaml is wrong at ${issue?.path.join('.') || 'its top'}: ${issue?.message}`,
    );
  }
  const { debian, ...recipe } = parsed.data;
  const absolute = (path: string | undefined) => (path === undefined ? undefined : resolve(place.folder, path));
  return {
    ...recipe,
    ...place,
    layers: recipe.layers.map((layer) => resolve(place.folder, layer)),
    ...(debian === undefined
      ? {}
      : { debian: { ...debian, overlay: absolute(debian.overlay), customize: absolute(debian.customize) } }),
  };
}

async function recipeNames(imagesFolder: string): Promise<string[]> {
  const names = await readdir(imagesFolder);
  return names.filter((name) => existsSync(join(imagesFolder, name, 'recipe.yaml'))).sort();
}

function parseYaml(text: string, name: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw new ProvisionError('image_build_failed', `images/${name}/recipe.yaml is not YAML`, { cause });
  }
}
