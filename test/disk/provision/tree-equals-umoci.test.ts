import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ExtractedLayers } from '../../../agent/provision/steps/extract-layers.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { type BootImageSpec, makeBootDisk, noise, writeBootImage } from '../../builders/boot-image.ts';
import { provisionHere } from '../../builders/provision-here.ts';
import { startRegistry } from '../../builders/registry.ts';
import { buildTar } from '../../builders/tar-builder.ts';
import { Resources } from '../../resources.ts';
import { diffTrees, readTree, type Tree } from '../../tree.ts';
import { everyEntryKind } from './every-entry-kind.ts';
import { type LayoutLayer, layersOfLayout, layerZeroTree, mountScratch, umociTree } from './umoci-reference.ts';

const gib = 1024 ** 3;
const repo = join(import.meta.dirname, '../../..');
const resources = new Resources();
let scratch = '';
let bootDisk = '';
const startedNs = BigInt(Date.now() - 1000) * 1_000_000n;

before(async () => {
  scratch = await mountScratch(resources, 8 * gib);
  bootDisk = await makeBootDisk(resources);
});
after(() => resources[Symbol.asyncDispose]());

const recipes = [
  { name: 'debian-12', atLeast: 10_000 },
  { name: 'debian-13', atLeast: 10_000 },
  { name: 'debian-12-web', atLeast: 10_000 },
] as const;

for (const { name, atLeast } of recipes) {
  test(`the tree of the recipe ${name} is the one that umoci unpacks`, async (context) => {
    const reference = await builtRecipe(name);
    const [layerZero, ...layers] = layersOfLayout(reference);
    assert.ok(layerZero !== undefined);
    const count = await assertSameTree(reference, layerZero, await umociTree(layers, scratch));
    context.diagnostic(`${name}: ${count} entries compared`);
    assert.ok(count >= atLeast, `${count} entries`);
  });
}

/** Every kind of entry, and some data, in the forms that registries and layouts have. */
const variants: Readonly<Record<string, (spec: BootImageSpec) => Promise<string>>> = {
  'zstd layers': async (spec) => (await writeBootImage(resources, spec)).reference,
  'gzip layers': async (spec) => (await writeBootImage(resources, { ...spec, codec: 'gzip' })).reference,
  'uncompressed layers': async (spec) => (await writeBootImage(resources, { ...spec, codec: 'none' })).reference,
  'a layout in Docker schema 2': async (spec) =>
    (await writeBootImage(resources, { ...spec, codec: 'gzip', docker: true, diskForm: 'tar' })).reference,
  'a registry in Docker schema 2': async (spec) => {
    const { reference } = await writeBootImage(resources, { ...spec, codec: 'gzip', diskForm: 'tar' });
    return await (await startRegistry(resources)).push(reference, 'os/docker:1', { docker: true });
  },
};

describe('F46 F47 F48 F49 every kind of entry in one image: the tree is the one that umoci unpacks', () => {
  const { layers, stacks } = everyEntryKind();
  let spec: BootImageSpec;
  let expected: Tree;
  let layerZero: LayoutLayer | undefined;

  before(async () => {
    const files = Array.from({ length: 200 }, (_, index) => {
      return { name: `noise-${index}`, data: noise(20_000 + index, index) };
    });
    spec = { disk: bootDisk, layers: [...layers, buildTar(files)] };
    const all = layersOfLayout((await writeBootImage(resources, { ...spec, codec: 'none' })).reference);
    layerZero = all[0];
    expected = await umociTree(all.slice(1), scratch);
  });

  for (const [name, write] of Object.entries(variants)) {
    test(`F46 F47 F48 F49 ${name}`, async (context) => {
      assert.ok(layerZero !== undefined);
      const count = await assertSameTree(await write(spec), layerZero, expected);
      context.diagnostic(`${stacks.length} stacks in ${layers.length + 2} layers: ${count} entries compared`);
      assert.ok(count > 600, `${count} entries`);
      for (const row of ['F46', 'F47', 'F48', 'F49'])
        assert.ok(
          stacks.some((stack) => stack.startsWith(row)),
          row,
        );
    });
  }
});

/** Installs the image and compares what was extracted, before it is changed, with umoci's tree over layer 0's. */
async function assertSameTree(reference: string, layerZero: LayoutLayer, expected: Tree): Promise<number> {
  const below = await layerZeroTree(layerZero);
  const tree = await extractedTree(reference);
  // umoci leaves the time of the run on folders that no entry describes: those mtimes say nothing.
  const differences = diffTrees(new Map([...below, ...expected]), tree, {
    skip: (_path, field, left) => field === 'mtimeNs' && left.kind === 'directory' && left.mtimeNs >= startedNs,
  });
  assert.deepEqual(differences.slice(0, 50), []);
  return expected.size;
}

/** The real pipeline onto a file; the root is read when the last layer is on it. */
async function extractedTree(image: string): Promise<Tree> {
  await using own = new Resources();
  const file = own.sparseFile(6 * gib);
  let tree: Tree | null = null;
  const { exitCode, last } = await provisionHere({
    image,
    disk: file,
    afterStep: (step, value) => {
      if (step === 'layer_extraction') tree = readTree((value as ExtractedLayers).root.path);
    },
  });
  assert.equal(exitCode, 0, last?.message ?? '');
  assert.ok(tree !== null);
  return tree;
}

async function builtRecipe(name: string): Promise<string> {
  await runCommand(join(repo, 'scripts/build-image'), [name]);
  return `oci:${join(repo, 'dist/images', name)}:latest`;
}
