import { ProvisionError } from '../../core/base/errors.ts';

const blockBytes = 512;

export interface TarFile {
  /** At most 100 bytes, no leading slash. */
  readonly name: string;
  readonly data: Buffer;
}

/** A ustar archive of regular files, owner 0:0, mode 0644, mtime 0: the same files give the same bytes. */
export function tarOfFiles(files: readonly TarFile[]): Buffer {
  const parts = files.flatMap((file) => [tarHeader(file.name, file.data.length), file.data, padding(file.data.length)]);
  return Buffer.concat([...parts, tarEnd()]);
}

/**
 * Header of one regular file (POSIX.1-2017 pax, ustar interchange format).
 * @throws ProvisionError `image_build_failed` for 8 GiB and more, which the format cannot say.
 */
export function tarHeader(name: string, sizeBytes: number): Buffer {
  if (sizeBytes >= 8 ** 11) {
    throw new ProvisionError('image_build_failed', `${name} has ${sizeBytes} bytes, too many for a tar header`);
  }
  const header = Buffer.alloc(blockBytes);
  header.write(name, 0, 100, 'utf8');
  header.write('0000644\0', 100, 'latin1');
  header.write('0000000\0', 108, 'latin1');
  header.write('0000000\0', 116, 'latin1');
  header.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  header.write('00000000000\0', 136, 'latin1');
  header.write('        ', 148, 'latin1');
  header.write('0', 156, 'latin1');
  header.write('ustar\u000000', 257, 'latin1');
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** Zeros up to the next block. */
export function padding(sizeBytes: number): Buffer {
  return Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
}

/** Two blocks of zeros end an archive. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * blockBytes);
}
