import { type PartName, type PartTime, totalLimitMinutes } from './budget.ts';

/** Passed, failed, skipped. */
export type Counts = readonly [number, number, number];

/** The file that `scripts/test` writes a line at a time: parts as they end, then the counts of the whole run. */
export function readTimes(text: string): { times: PartTime[]; counts: Counts | undefined } {
  const records = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as PartTime | { counts: Counts });
  return {
    times: records.filter((record) => 'part' in record),
    counts: records.find((record) => 'counts' in record)?.counts,
  };
}

export interface RunEnd {
  /** Exit code of `scripts/test`, or that it was stopped. */
  readonly exit: number | 'stopped';
  /** Absent when the run never came to its end. */
  readonly counts: Counts | undefined;
  readonly overruns: readonly PartName[];
}

/** How a CI run ends: each problem that no test counts is one more failure, so that the last line is never green. */
export function closeRun(end: RunEnd): { problems: string[]; lastLine: string; exitCode: number } {
  const problems = end.overruns.map((part) => `${part} took more than one and a half times its budget`);
  if (end.exit === 'stopped') problems.push(`the run was stopped after ${totalLimitMinutes} minutes`);
  else if (end.counts === undefined) problems.push(`scripts/test ended with ${end.exit} before it had run the tests`);
  const [passed, failed, skipped] = end.counts ?? [0, 0, 0];
  if (end.exit !== 0 && failed === 0 && problems.length === 0) problems.push(`scripts/test ended with ${end.exit}`);
  const allFailed = failed + problems.length;
  return {
    problems,
    lastLine: `${passed} passed, ${allFailed} failed, ${skipped} skipped`,
    exitCode: allFailed === 0 ? 0 : 1,
  };
}
