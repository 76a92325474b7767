import { readFile } from 'node:fs/promises';

/** The largest window that zstd defines for 64-bit machines, in bytes (RFC 8878 and `--long=31`). */
const largestWindowBytes = 2 ** 31;

/** What the program itself needs beside decoder windows, in bytes (provisioning.md, invariant 3). */
const ownBytes = 300 * 1024 * 1024;

/** MemAvailable of /proc/meminfo, in bytes. */
export async function availableMemoryBytes(file = '/proc/meminfo'): Promise<number> {
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(await readFile(file, 'utf8'));
  return Number(match?.[1] ?? 0) * 1024;
}

/** The largest zstd window that this machine has memory for, in bytes; never below 8 MiB, which every decoder allows. */
export async function maxWindowBytes(file?: string): Promise<number> {
  const spare = (await availableMemoryBytes(file)) - ownBytes;
  return Math.min(largestWindowBytes, Math.max(8 * 1024 * 1024, spare));
}
