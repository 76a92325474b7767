import { z } from 'zod';
import type { LiveEntries } from './outbox.ts';

const headerSchema = z.object({ boot_id: z.string().min(1).max(64), last_seq: z.int().nonnegative() });

export type BootFileHeader = z.infer<typeof headerSchema>;

/** A file of the outbox's folder: a line that names the boot and its highest seq, then one line for each frame. */
export function bootFileText(
  bootId: string,
  live: Pick<LiveEntries, 'lastSeq'> & { entries: Iterable<{ text: string }> },
): string {
  const header = JSON.stringify({ boot_id: bootId, last_seq: live.lastSeq } satisfies BootFileHeader);
  return `${[header, ...Array.from(live.entries, (entry) => entry.text)].join('\n')}\n`;
}

/** The first line of such a file; null for what is none. */
export function parseBootFileHeader(line: string): BootFileHeader | null {
  try {
    return headerSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

/** Name of the file with this number: the boots in their order. */
export function bootFileName(number: number): string {
  return `${String(number).padStart(8, '0')}.ndjson`;
}

/** The number in the name of such a file; null for another file. */
export function bootFileNumber(name: string): number | null {
  const digits = /^(\d{8})\.ndjson$/.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
}
