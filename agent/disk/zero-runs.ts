import { rangeEnd } from './geometry.ts';
import type { ByteRange } from './types.ts';

/** Zeros are left out in pieces of this size, aligned to it: a file system block group's bitmap is not worth a seek. */
const pieceBytes = 64 * 1024;
const zeros = Buffer.alloc(pieceBytes);

export interface WritableRun {
  readonly offsetBytes: number;
  readonly data: Buffer;
}

/**
 * The parts of `data` (which belongs at `offsetBytes`) that have to be written: everything but whole aligned pieces of
 * zeros that lie inside one of the ranges that are `zeroed` for sure.
 */
export function writableRuns(data: Buffer, offsetBytes: number, zeroed: readonly ByteRange[]): WritableRun[] {
  const runs: WritableRun[] = [];
  let runStart = 0;
  let at = 0;
  while (at < data.length) {
    const untilAligned = pieceBytes - ((offsetBytes + at) % pieceBytes);
    const length = Math.min(untilAligned, data.length - at);
    if (isSkippable(data.subarray(at, at + length), offsetBytes + at, zeroed)) {
      if (at > runStart) runs.push({ offsetBytes: offsetBytes + runStart, data: data.subarray(runStart, at) });
      runStart = at + length;
    }
    at += length;
  }
  if (at > runStart) runs.push({ offsetBytes: offsetBytes + runStart, data: data.subarray(runStart, at) });
  return runs;
}

function isSkippable(piece: Buffer, offsetBytes: number, zeroed: readonly ByteRange[]): boolean {
  const isZeroed = zeroed.some(
    (range) => range.offsetBytes <= offsetBytes && offsetBytes + piece.length <= rangeEnd(range),
  );
  return isZeroed && isZero(piece);
}

/** Whether every byte is 0. */
export function isZero(data: Buffer): boolean {
  for (let at = 0; at < data.length; at += pieceBytes) {
    const piece = data.subarray(at, at + pieceBytes);
    if (!piece.equals(zeros.subarray(0, piece.length))) return false;
  }
  return true;
}
