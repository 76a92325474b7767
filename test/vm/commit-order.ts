import type { LogEntry, WriteLog } from './write-log.ts';

/** What is zeroed at both ends before anything else is written (provisioning.md, invariant 1). */
const edgeBytes = 1024 * 1024;

/** A write through the page cache takes the whole page. */
const pageBytes = 4096;

/** The commit of an installation as the log of its disk tells it. */
export interface CommitOrder {
  /** Index of the entry that wrote LBA 0. */
  readonly commitIndex: number;
  /** How many bytes behind LBA 0 the same request wrote again without a change; 0 for LBA 0 alone. */
  readonly unchangedBytes: number;
  /** Number of entries after which LBA 0 has been zeroed for the first time. */
  readonly erasedAfter: number;
  /** Numbers of entries after each of which a flush had just been done. */
  readonly flushPoints: readonly number[];
}

/**
 * Finds the write of LBA 0 that makes the disk bootable, and checks what no replay can show: that the order holds
 * for every order in which a disk may keep the writes between two flushes. For that nothing else may be unflushed
 * when LBA 0 is written, the write of LBA 0 must change nothing else (it could be torn), and nothing may follow it.
 * @throws Error naming the entry that breaks the order.
 */
export function commitOrder(log: WriteLog): CommitOrder {
  const { entries, sectorBytes } = log;
  const commitIndex = entries.findIndex(
    (entry) => writesLbaZero(entry) && !isZero(entry.start.subarray(0, sectorBytes)),
  );
  const commit = entries[commitIndex];
  if (commit === undefined) throw new Error('LBA 0 was never written');
  const before = entries.slice(0, commitIndex);
  const unchangedBytes = commit.lengthBytes - sectorBytes;
  const isSame = firstPage(before).subarray(sectorBytes, commit.lengthBytes).equals(commit.start.subarray(sectorBytes));
  if (commit.lengthBytes > pageBytes || !isSame) {
    throw new Error(`entry ${commitIndex} changes LBA 0 together with some of the ${unchangedBytes} bytes behind it`);
  }
  const lastFlush = before.findLastIndex((entry) => entry.kind === 'flush');
  const lastChange = before.findLastIndex((entry) => entry.kind !== 'flush');
  if (lastChange > lastFlush)
    throw new Error(`entry ${lastChange} was not flushed when entry ${commitIndex} wrote LBA 0`);
  const after = entries.slice(commitIndex + 1);
  const late = after.findIndex((entry) => entry.kind !== 'flush');
  if (late >= 0) throw new Error(`entry ${commitIndex + 1 + late} changes the disk after LBA 0 (entry ${commitIndex})`);
  if (after.length === 0) throw new Error(`entry ${commitIndex} wrote LBA 0 and was never flushed`);
  const flushPoints = entries.flatMap((entry, index) => (entry.kind === 'flush' ? [index + 1] : []));
  return { commitIndex, unchangedBytes, erasedAfter: erasedAfter(log, before), flushPoints };
}

/**
 * The erasure comes first: before the zeros of LBA 0 are flushed, nothing but zeros in the first and last MiB (and
 * discards) may be written. Otherwise a power cut leaves an old table that leads into new content.
 */
function erasedAfter(log: WriteLog, before: readonly LogEntry[]): number {
  const erased = before.findIndex((entry) => writesLbaZero(entry));
  if (erased < 0) throw new Error('LBA 0 was not zeroed at the start');
  const flushed = before.findIndex((entry, index) => index > erased && entry.kind === 'flush');
  const isErasure = (entry: LogEntry): boolean =>
    entry.kind !== 'write' ||
    (isZero(entry.start) &&
      (entry.offsetBytes + entry.lengthBytes <= edgeBytes || entry.offsetBytes >= log.diskBytes - edgeBytes));
  const early = before.slice(0, flushed).findIndex((entry) => !isErasure(entry));
  if (early >= 0) throw new Error(`entry ${early} came before the zeros of LBA 0 (entry ${erased}) were flushed`);
  return erased + 1;
}

/** The first page of the disk as the entries leave it, on a disk of zeros. */
function firstPage(entries: readonly LogEntry[]): Buffer {
  const page = Buffer.alloc(pageBytes);
  for (const entry of entries) {
    if (entry.offsetBytes >= pageBytes) continue;
    if (entry.kind === 'write') entry.start.copy(page, entry.offsetBytes);
    else page.fill(0, entry.offsetBytes, Math.min(pageBytes, entry.offsetBytes + entry.lengthBytes));
  }
  return page;
}

function writesLbaZero(entry: LogEntry): boolean {
  return entry.kind === 'write' && entry.offsetBytes === 0 && entry.lengthBytes > 0;
}

function isZero(data: Buffer): boolean {
  return data.every((byte) => byte === 0);
}

/** Every number of entries that can be applied, from none to all. Looking is cheap beside writing: none is left out. */
export function everyPoint(log: WriteLog): number[] {
  return Array.from({ length: log.entries.length + 1 }, (_, point) => point);
}

export interface ReplayExpectation {
  readonly order: CommitOrder;
  /** Partitions of the installed disk. */
  readonly partitions: number;
  /** First point at which no partition may be seen: 0 on a blank disk, `order.erasedAfter` on a used one. */
  readonly blankFrom: number;
}

/**
 * What a replay has to show: no partition up to the write of LBA 0, all of them after it. `seen` holds the number of
 * partitions per point. Gives the number of points on either side.
 * @throws Error naming the first point that breaks this, or when a side has no point.
 */
export function checkReplay(
  seen: ReadonlyMap<number, number>,
  expected: ReplayExpectation,
): { readonly before: number; readonly after: number } {
  const points = [...seen.keys()].filter((point) => point >= expected.blankFrom);
  const after = points.filter((point) => point > expected.order.commitIndex).length;
  for (const point of points) {
    const found = seen.get(point);
    const wanted = point > expected.order.commitIndex ? expected.partitions : 0;
    if (found !== wanted) throw new Error(`at point ${point} the kernel sees ${found} partitions, not ${wanted}`);
  }
  const before = points.length - after;
  if (before === 0 || after === 0) throw new Error(`no proof: ${before} points before LBA 0, ${after} after it`);
  return { before, after };
}
