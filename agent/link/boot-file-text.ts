import type { LiveEntries } from './outbox.ts';

/** A file of the outbox's folder: a line that names the boot and its highest seq, then one line for each frame. */
export function bootFileText(
  bootId: string,
  live: Pick<LiveEntries, 'lastSeq'> & { entries: Iterable<{ text: string }> },
): string {
  const header = JSON.stringify({ boot_id: bootId, last_seq: live.lastSeq });
  return `${[header, ...Array.from(live.entries, (entry) => entry.text)].join('\n')}\n`;
}
