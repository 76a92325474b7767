import { appendFileSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError } from '../../core/base/describe-error.ts';
import { ProvisionError } from '../../core/base/errors.ts';
import { runCommand } from '../../core/base/run-command.ts';
import { repoDir } from '../build/paths.ts';
import { budgetMinutes, formatSeconds, type PartName, type PartTime } from './budget.ts';
import { findLeaks, runMarker } from './leaks.ts';
import { countsOf, runSuite, type SuiteResult } from './run-suite.ts';
import { imagesUsed, type Selection, selectTests, usesInstaller } from './suites.ts';

const print = (line: string): void => console.log(line);

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => stop.abort(new Error(`ended by ${signal}`)));

async function buildWhatIsStale(selections: readonly Selection[]): Promise<void> {
  const builds: [string, ...string[]][] = [];
  if (selections.some(({ suite }) => suite.usesBinary)) builds.push(['build-binary', '--quiet']);
  for (const name of imagesUsed(selections)) builds.push(['build-image', name]);
  for (const [script, ...args] of builds) await build(script, args);
}

async function build(script: string, args: readonly string[]): Promise<number> {
  const startedMs = performance.now();
  await runCommand(join(repoDir, 'scripts', script), args, { signal: stop.signal });
  const seconds = (performance.now() - startedMs) / 1000;
  if (seconds > 3) print(`scripts/${script} took ${formatSeconds(seconds)}`);
  return seconds;
}

/** Tests start with a temporary folder of this run and its mark, so that what they leave behind can be told apart. */
async function runSelections(selections: readonly Selection[]): Promise<SuiteResult[]> {
  const runId = `${process.pid}-${Date.now()}`;
  const tempDir = realpathSync(mkdtempSync(join(tmpdir(), 'durantic-run-')));
  process.env['TMPDIR'] = tempDir;
  process.env[runMarker] = runId;
  const results: SuiteResult[] = [];
  for (const selection of selections) {
    if (stop.signal.aborted) break;
    const result = await buildAndRun(selection);
    const leaks = await findLeaks(runId, tempDir);
    for (const { remove } of leaks) await Promise.resolve(remove()).catch(() => undefined);
    const failures = leaks.map(({ what }) => `${result.name} left behind: ${what}`);
    results.push({ ...result, failures: [...result.failures, ...failures] });
    note({ part: result.name as PartName, seconds: result.seconds });
  }
  rmSync(tempDir, { recursive: true, force: true });
  return results;
}

/**
 * The installer is not built before the first suite: a kernel that is being compiled in the background has the time of
 * the others. That it cannot be built fails its own suite only.
 */
async function buildAndRun(selection: Selection): Promise<SuiteResult> {
  try {
    if (usesInstaller(selection)) await buildInstaller();
  } catch (error) {
    if (stop.signal.aborted) throw error;
    const failure = `the installer could not be built, so nothing of ${selection.suite.name} ran: ${describeError(error)}`;
    print(failure);
    return { name: selection.suite.name, passed: 0, failures: [failure], skipped: [], seconds: 0 };
  }
  return await runSuite(selection, print, stop.signal);
}

/** Waiting for a kernel that .ci/run compiles in the background is that build's time, which .ci/run knows. */
async function buildInstaller(): Promise<void> {
  const kernelSeconds = await build('build-kernel', []);
  if (process.env['DURANTIC_KERNEL_IN_BACKGROUND'] !== '1') note({ part: 'kernel', seconds: kernelSeconds });
  note({ part: 'kernel', seconds: await build('build-installer', []) });
}

/** For .ci/run: a line per part in the file that DURANTIC_TIMES_FILE names. */
function note(time: PartTime | { readonly counts: readonly [number, number, number] }): void {
  const file = process.env['DURANTIC_TIMES_FILE'];
  if (file === undefined || ('part' in time && !(time.part in budgetMinutes))) return;
  appendFileSync(file, `${JSON.stringify(time)}\n`);
}

/** Lists and counts at the end, so that the reason of a failure stands near the last line. */
function summarize(results: readonly SuiteResult[]): number {
  const sum = {
    passed: results.reduce((total, { passed }) => total + passed, 0),
    failures: results.flatMap(({ failures }) => failures),
    skipped: results.flatMap(({ skipped }) => skipped),
  };
  const mayNotSkip = process.env['NO_SKIP'] === '1' && sum.skipped.length > 0;
  if (sum.skipped.length > 0) print(`\nSkipped:\n${sum.skipped.map((line) => `  ${line}`).join('\n')}`);
  if (sum.failures.length > 0) print(`\nFailed:\n\n${sum.failures.join('\n\n')}`);
  if (mayNotSkip) print('\nNO_SKIP=1: a skipped test fails the run');
  if (stop.signal.aborted) print(`\n${describeError(stop.signal.reason)} before all tests had run`);
  const isEmpty = sum.passed === 0 && sum.failures.length === 0;
  if (isEmpty) print('\nno test ran');
  print(`\n${countsOf(sum)}`);
  note({ counts: [sum.passed, sum.failures.length, sum.skipped.length] });
  return sum.failures.length > 0 || mayNotSkip || isEmpty || stop.signal.aborted ? 1 : 0;
}

try {
  process.chdir(repoDir);
  const selections = selectTests(process.argv.slice(2));
  await buildWhatIsStale(selections);
  note({
    part: 'installs and builds',
    seconds: Date.now() / 1000 - Number(process.env['DURANTIC_STARTED'] ?? Date.now() / 1000),
  });
  process.exitCode = summarize(await runSelections(selections));
} catch (error) {
  // What a build printed tells more than that it failed.
  if (error instanceof ProvisionError && typeof error.facts['stderr'] === 'string')
    console.error(error.facts['stderr']);
  console.error(`test: ${describeError(error)}`);
  process.exitCode = 2;
}
