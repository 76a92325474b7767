import { createHash } from 'node:crypto';
import type { FileSource } from './file-source.ts';

/** SHA-256 of a whole file, hex. @throws FileChangedError */
export async function sha256OfFile(file: FileSource): Promise<string> {
  const hash = createHash('sha256');
  for await (const bytes of file.read(0, file.sizeBytes)) hash.update(bytes);
  return hash.digest('hex');
}
