import { createCipheriv, createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { buildEntry } from './tar-builder.ts';

export interface ManyFiles {
  readonly files: number;
  readonly fileBytes: number;
}

const filesPerFolder = 1000;

/** Writes a tar of so many files of incompressible data, all different, the same in each run. */
export async function writeManyFiles(file: string, { files, fileBytes }: ManyFiles): Promise<void> {
  const cipher = createCipheriv('aes-128-ctr', createHash('md5').update('many files').digest(), Buffer.alloc(16));
  const zeros = Buffer.alloc(fileBytes);
  function* entries(): Generator<Buffer> {
    for (let index = 0; index < files; index += 1) {
      const folder = `srv/d${Math.floor(index / filesPerFolder)}`;
      if (index % filesPerFolder === 0) yield buildEntry({ name: folder, typeflag: '5', mode: 0o755 });
      yield buildEntry({ name: `${folder}/f${index}`, data: cipher.update(zeros) });
    }
    yield Buffer.alloc(1024);
  }
  await pipeline(Readable.from(entries(), { objectMode: false }), createWriteStream(file));
}
