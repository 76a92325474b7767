import { partitionRange } from './geometry.ts';
import { type FilesystemFacts, probeFilesystem } from './probe-filesystem.ts';
import type { Gpt, ReadBytes } from './types.ts';

/** The file systems of all partitions of a disk by partition number; null for one in which there is none that we know. */
export async function probePartitions(gpt: Gpt, read: ReadBytes): Promise<Map<number, FilesystemFacts | null>> {
  const found = new Map<number, FilesystemFacts | null>();
  for (const partition of gpt.partitions) {
    const range = partitionRange(gpt, partition);
    const readInside: ReadBytes = (offsetBytes, lengthBytes) => read(range.offsetBytes + offsetBytes, lengthBytes);
    found.set(partition.number, await probeFilesystem(readInside, range.lengthBytes));
  }
  return found;
}
