import type { Resources } from '../resources.ts';
import { writeLayout } from './oci-image.ts';

/** An OCI layout with an image of a few bytes, which has a digest and nothing to install: `oci:DIR:latest`. */
export async function tinyImage(
  resources: Resources,
  content = 'tiny',
): Promise<{ readonly reference: string; readonly digest: string }> {
  const layout = await writeLayout(resources.tempDir(), {
    layers: [{ bytes: Buffer.from(content), codec: 'gzip' }],
  });
  return { reference: layout.reference, digest: layout.manifest.digest };
}
