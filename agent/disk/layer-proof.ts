import { ProvisionError } from '../../core/base/errors.ts';
import type { LayerDescriptor } from '../../core/oci/types.ts';

/** What the digest adapters found when a layer's stream had ended. */
export interface MeasuredLayer {
  /** Of the compressed bytes. */
  readonly digest: string;
  readonly sizeBytes: number;
  /** Of the decompressed bytes. */
  readonly diffId: string;
}

const key = Symbol('LayerProof');

/**
 * That a layer arrived unaltered and whole. Only `LayerProof.of` makes one, and only when everything agrees; a look-alike
 * does not pass `isGenuine`.
 */
export class LayerProof {
  readonly #layer: LayerDescriptor;
  readonly verified = true;
  readonly digest: string;
  readonly diffId: string;

  private constructor(permit: symbol, layer: LayerDescriptor, diffId: string) {
    if (permit !== key) throw new ProvisionError('invariant', 'a LayerProof is made by LayerProof.of only');
    this.#layer = layer;
    this.digest = layer.digest;
    this.diffId = diffId;
  }

  /**
   * Compares what was promised with what was measured.
   * @throws ProvisionError `size_mismatch`, `digest_mismatch`, `diff_id_mismatch`, each naming the layer.
   */
  static of(layer: LayerDescriptor, measured: MeasuredLayer): LayerProof {
    const name = `layer ${layer.index} (${layer.digest})`;
    const differ = (
      expected: string | number,
      actual: string | number,
    ): { facts: Record<string, string | number> } => ({
      facts: { layer: layer.index, digest: layer.digest, expected, actual },
    });
    if (measured.sizeBytes !== layer.sizeBytes) {
      const message = `${name} has ${measured.sizeBytes} bytes instead of ${layer.sizeBytes}`;
      throw new ProvisionError('size_mismatch', message, differ(layer.sizeBytes, measured.sizeBytes));
    }
    if (measured.digest !== layer.digest) {
      const message = `${name} is not the data that its digest stands for`;
      throw new ProvisionError('digest_mismatch', message, differ(layer.digest, measured.digest));
    }
    if (layer.diffId !== null && measured.diffId !== layer.diffId) {
      const message = `${name} does not unpack to what the image's config says`;
      throw new ProvisionError('diff_id_mismatch', message, differ(layer.diffId, measured.diffId));
    }
    return new LayerProof(key, layer, measured.diffId);
  }

  static isGenuine(proof: LayerProof): boolean {
    return typeof proof === 'object' && proof !== null && #layer in proof;
  }

  /** Whether this is the proof of that layer of that image. */
  isOf(layer: LayerDescriptor): boolean {
    const own = this.#layer;
    return own.index === layer.index && own.digest === layer.digest && own.diffId === layer.diffId;
  }
}
