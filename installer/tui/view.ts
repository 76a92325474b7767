import type { DisplayClock } from '../console/describe.ts';

/** What a frame depends on beside the facts. */
export interface View {
  readonly columns: number;
  readonly rows: number;
  readonly clock: DisplayClock;
  /** What has been typed so far in answer to the question. */
  readonly typed: string;
  /** An answer was given and nobody has said yet what is wrong with it. */
  readonly isAnswered: boolean;
}

/** The room that a screen has between header and footer. */
export interface Room {
  readonly columns: number;
  readonly rows: number;
}

/** Smaller than this no terminal is taken for: the frame is cut. */
export const smallestColumns = 40;
export const smallestRows = 12;
