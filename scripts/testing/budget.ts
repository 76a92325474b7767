/** The parts of a full run and the minutes that each may take from nothing (docs/testing.md); together 74 of 75. */
export const budgetMinutes = {
  'installs and builds': 10,
  kernel: 18,
  unit: 1,
  net: 8,
  disk: 12,
  vm: 25,
} as const;

export type PartName = keyof typeof budgetMinutes;

/** When a full run stops itself. */
export const totalLimitMinutes = 80;

/** A part fails when it takes this many times its budget. */
const overrunFactor = 1.5;

export interface PartTime {
  readonly part: PartName;
  readonly seconds: number;
}

/** The parts that took so long that the run fails. */
export function overrunParts(times: readonly PartTime[]): PartName[] {
  return sumParts(times)
    .filter(({ part, seconds }) => seconds > budgetMinutes[part] * 60 * overrunFactor)
    .map(({ part }) => part);
}

/** Time used against budget, a line per part and one for the total. */
export function formatBudget(times: readonly PartTime[], totalSeconds: number): string {
  const sums = sumParts(times);
  const overruns = new Set(overrunParts(times));
  const parts = (Object.keys(budgetMinutes) as PartName[]).map((part) => {
    const used = sums.find((each) => each.part === part);
    return row(part, used?.seconds, budgetMinutes[part], overruns.has(part) ? 'OVER BUDGET BY MORE THAN HALF' : '');
  });
  const total = row('total', totalSeconds, totalLimitMinutes, totalSeconds > totalLimitMinutes * 60 ? 'TOO LONG' : '');
  return [`${'part'.padEnd(22)}${'used'.padStart(9)}${'budget'.padStart(9)}`, ...parts, total].join('\n');
}

function row(name: string, seconds: number | undefined, minutes: number, note: string): string {
  const used = seconds === undefined ? 'not run' : formatSeconds(seconds);
  return `${name.padEnd(22)}${used.padStart(9)}${`${minutes} min`.padStart(9)}  ${note}`.trimEnd();
}

/** `74 s`, `12:03`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 100) return `${whole} s`;
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** A part can come in pieces, such as installing before and building during the run. */
function sumParts(times: readonly PartTime[]): PartTime[] {
  const sums = new Map<PartName, number>();
  for (const { part, seconds } of times) sums.set(part, (sums.get(part) ?? 0) + seconds);
  return [...sums].map(([part, seconds]) => ({ part, seconds }));
}
