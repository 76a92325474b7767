import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { ProvisionError } from '../../../core/base/errors.ts';

const chunkAsBuffer = (chunk: Uint8Array): Buffer => Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);

/**
 * Stream adapter: the contents of the one regular file of a tar archive, which is how `COPY disk.raw.zst /` puts a raw
 * disk into a layer. Folders are passed over.
 * @throws ProvisionError `image_not_provisionable` (no file, more than one, or something else than a file),
 * `stream_corrupt` (no tar archive).
 */
export async function* soleFile(source: AsyncIterable<Buffer>, label: string): AsyncGenerator<Buffer> {
  const archive = extract();
  const feeding = pipeline(source, archive as unknown as NodeJS.WritableStream);
  feeding.catch(() => undefined);
  let found: string | null = null;
  try {
    for await (const entry of archive) {
      const { name, type } = entry.header;
      if (type === 'directory') {
        entry.resume();
        continue;
      }
      if (type !== 'file' && type !== 'contiguous-file')
        throw notAlone(label, `it holds ${name}, which is no regular file`);
      if (found !== null) throw notAlone(label, `it holds ${found} and ${name}`);
      found = name;
      for await (const chunk of entry as unknown as Readable) yield chunkAsBuffer(chunk as Uint8Array);
    }
  } catch (error) {
    if (error instanceof ProvisionError) throw error;
    await feeding.catch((cause: unknown) => {
      if (cause instanceof ProvisionError) throw cause;
    });
    throw new ProvisionError('stream_corrupt', `${label} is no readable tar archive`, { cause: error });
  }
  await feeding;
  if (found === null) throw notAlone(label, 'it holds no file');
}

function notAlone(label: string, what: string): ProvisionError {
  return new ProvisionError(
    'image_not_provisionable',
    `${label} must hold the raw disk and nothing else, but ${what}; with buildah use \`buildah build --layers\`, which makes one layer of each instruction`,
  );
}
