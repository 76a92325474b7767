import type { DiskState } from './errors.ts';

/** What state a failed installation has left the disk in, as a sentence. */
export const diskStateSentences: Readonly<Record<DiskState, string>> = {
  untouched: 'The disk was not touched.',
  erased: 'The disk was erased; nothing on it boots.',
  partial: 'The disk holds parts of the new system; nothing on it boots.',
  complete: 'The new system is complete on the disk.',
};
