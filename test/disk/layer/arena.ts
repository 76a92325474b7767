import assert from 'node:assert/strict';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { extractLayer } from '../../../agent/layer/extract-layer.ts';
import type { ExtractLayerOptions, LayerResult } from '../../../agent/layer/types.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { runCommand } from '../../../core/base/run-command.ts';
import { umociUnpack } from '../../builders/umoci.ts';
import { Resources } from '../../resources.ts';
import { type DiffOptions, diffTrees, readTree, type Tree } from '../../tree.ts';

/**
 * A loop-mounted ext4 in which layers are extracted side by side by us and by umoci; ext4 because trusted and security
 * xattrs are compared. Each case has a folder with a canary beside the root.
 */
export class Arena implements AsyncDisposable {
  readonly #resources = new Resources();
  #dir = '';
  #count = 0;

  static async open(sizeBytes = 2 * 1024 ** 3): Promise<Arena> {
    const arena = new Arena();
    const file = arena.#resources.sparseFile(sizeBytes, 'arena.raw');
    await runCommand('mkfs.ext4', ['-q', '-F', '-N', '400000', file]);
    arena.#dir = await arena.#resources.mount(await arena.#resources.loop(file));
    return arena;
  }

  /** A folder for one case: `root` as umoci makes its rootfs, `canary` that nothing may touch. */
  newCase(): ArenaCase {
    this.#count += 1;
    const dir = join(this.#dir, `case-${this.#count}`);
    mkdirSync(join(dir, 'root'), { recursive: true });
    utimesSync(join(dir, 'root'), 0, 0);
    mkdirSync(join(dir, 'canary/folder'), { recursive: true });
    writeFileSync(join(dir, 'canary/secret'), 'alive');
    writeFileSync(join(dir, 'canary/folder/inner'), 'alive too');
    return new ArenaCase(dir, this.#resources);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]();
  }
}

export interface Comparison {
  readonly umociError: Error | null;
  readonly ourError: unknown;
  readonly differences: readonly string[];
}

export class ArenaCase {
  readonly dir: string;
  readonly root: string;
  readonly #resources: Resources;
  readonly #canary: Tree;
  readonly #startedNs = BigInt(Date.now() - 1000) * 1_000_000n;

  constructor(dir: string, resources: Resources) {
    this.dir = dir;
    this.root = join(dir, 'root');
    this.#resources = resources;
    this.#canary = this.#readCanary();
  }

  /** Extracts the layers in order onto the root. */
  async extract(layers: readonly Buffer[], options: Partial<ExtractLayerOptions> = {}): Promise<LayerResult[]> {
    const results: LayerResult[] = [];
    for (const [index, layer] of layers.entries()) {
      const tar = Readable.from(pieces(layer), { objectMode: true });
      const signal = new AbortController().signal;
      results.push(await extractLayer(tar, { root: this.root, label: `layer ${index + 1}`, signal, ...options }));
    }
    return results;
  }

  /** Extracts with us and with umoci: the trees are equal. */
  async assertEqual(layers: readonly Buffer[]): Promise<LayerResult[]> {
    const rootfs = await umociUnpack(this.#resources, layers, { dir: this.dir });
    const results = await this.extract(layers);
    assert.deepEqual(this.diff(readTree(rootfs), readTree(this.root)), []);
    this.assertCanary();
    return results;
  }

  /** umoci refuses the layers, and so do we, with an integrity error that names the entry. */
  async assertRefused(layers: readonly Buffer[], entryName: string): Promise<void> {
    await assert.rejects(umociUnpack(this.#resources, layers, { dir: this.dir }), 'umoci takes it');
    await assert.rejects(this.extract(layers), (error) => {
      assert.ok(error instanceof ProvisionError, String(error));
      assert.equal(error.kind, 'integrity', error.message);
      assert.ok(error.message.includes(entryName), `${error.message} does not name ${entryName}`);
      return true;
    });
    this.assertCanary();
  }

  /** What both make of the layers; differences only where both extract them. */
  async compare(layers: readonly Buffer[]): Promise<Comparison> {
    let rootfs: string | null = null;
    let umociError: Error | null = null;
    try {
      rootfs = await umociUnpack(this.#resources, layers, { dir: this.dir });
    } catch (error) {
      if (!(error instanceof ProvisionError && error.code === 'tool_failed')) throw error;
      umociError = error;
    }
    let ourError: unknown = null;
    await this.extract(layers).catch((error: unknown) => {
      ourError = error;
    });
    const canCompare = rootfs !== null && ourError === null;
    return {
      umociError,
      ourError,
      differences: canCompare ? this.diff(readTree(rootfs ?? ''), readTree(this.root)) : [],
    };
  }

  assertCanary(): void {
    assert.deepEqual(diffTrees(this.#canary, this.#readCanary()), []);
  }

  /**
   * The first tree is umoci's. It leaves the time of the run on folders that no entry describes, and on the parents of
   * such: those mtimes say nothing.
   */
  diff(umoci: Tree, ours: Tree): string[] {
    const skip: DiffOptions['skip'] = (_path, field, left) =>
      field === 'mtimeNs' && left.kind === 'directory' && left.mtimeNs >= this.#startedNs;
    return diffTrees(umoci, ours, { skip });
  }

  #readCanary(): Tree {
    return readTree(join(this.dir, 'canary'));
  }
}

/** Chunks of odd sizes, so that headers and data are cut everywhere. */
function* pieces(layer: Buffer): Generator<Buffer> {
  const size = layer.length < 100_000 ? 1000 : 65_536 + 7;
  for (let offset = 0; offset < layer.length; offset += size) yield layer.subarray(offset, offset + size);
}
