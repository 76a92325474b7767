import { createCipheriv } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Resources } from '../resources.ts';
import { buildHeader } from './tar-builder.ts';

const filesInFolder = 100;

/**
 * A tar of so many files of so many incompressible bytes each, as a plain file: the same in each run, made as fast as
 * AES runs, and never held in memory.
 */
export async function writeNoiseTar(
  resources: Resources,
  { files, fileBytes }: { readonly files: number; readonly fileBytes: number },
): Promise<string> {
  const file = join(resources.tempDir('durantic-noise-'), 'noise.tar');
  await pipeline(noiseTar(files, fileBytes), createWriteStream(file, { highWaterMark: 1024 * 1024 }));
  return file;
}

function* noiseTar(files: number, fileBytes: number): Generator<Buffer> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'durantic'), Buffer.alloc(16));
  const zeros = Buffer.alloc(fileBytes);
  const padding = Buffer.alloc((512 - (fileBytes % 512)) % 512);
  for (let index = 0; index < files; index += 1) {
    const folder = `noise/${Math.floor(index / filesInFolder)}`;
    if (index % filesInFolder === 0) yield buildHeader({ name: folder, typeflag: '5', mode: 0o755 });
    yield Buffer.concat([buildHeader({ name: `${folder}/${index}`, size: fileBytes }), cipher.update(zeros), padding]);
  }
  yield Buffer.alloc(1024);
}
