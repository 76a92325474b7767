import { relative } from 'node:path';
import { run } from 'node:test';
import { repoDir } from '../build/paths.ts';
import { formatSeconds } from './budget.ts';
import { describeFailure } from './describe-failure.ts';
import type { Selection } from './suites.ts';

export interface SuiteResult {
  readonly name: string;
  readonly seconds: number;
  readonly passed: number;
  /** One text per failure: where, which test, why. */
  readonly failures: readonly string[];
  /** Name and reason. */
  readonly skipped: readonly string[];
}

interface FileState {
  passed: number;
  /** As node:test sums the file up. */
  hasFailed: boolean;
  readonly failures: string[];
  readonly skipped: string[];
  readonly output: string[];
  /** What tests say of themselves: figures, seeds. */
  readonly diagnostics: string[];
}

type TestEvent = Awaited<ReturnType<typeof run>> extends AsyncIterable<infer E> ? E : never;

/**
 * Runs the selected files and says one line per file; a failing file also shows what it printed.
 * @param start What runs them and tells of it.
 */
export async function runSuite(
  selection: Selection,
  print: (line: string) => void,
  stop: AbortSignal,
  start: (...args: Parameters<typeof run>) => AsyncIterable<TestEvent> = run,
): Promise<SuiteResult> {
  const { suite, files, pattern } = selection;
  const startedMs = performance.now();
  const states = new Map<string, FileState>(
    files.map((file) => [
      file,
      { passed: 0, hasFailed: false, failures: [], skipped: [], output: [], diagnostics: [] },
    ]),
  );
  print(`\n${suite.name}`);
  const stream = start({
    files: [...files],
    concurrency: suite.concurrency,
    timeout: suite.testTimeoutMs,
    signal: AbortSignal.any([stop, AbortSignal.timeout(suite.deadlineMs)]),
    execArgv: ['--disable-warning=ExperimentalWarning'],
    ...(pattern === undefined ? {} : { testNamePatterns: [pattern] }),
  });
  for await (const event of stream) {
    const file = fileOf(event.data);
    const state = file === undefined ? undefined : states.get(file);
    if (file === undefined || state === undefined) continue;
    const isOver = take(event, file, state, pattern !== undefined);
    if (isOver !== undefined) printFile(file, state, isOver.seconds, print);
  }
  for (const [file, { hasFailed, failures }] of states) {
    if (hasFailed && failures.length === 0) failures.push(`${relative(repoDir, file)}: failed, and no test says why`);
  }
  const all = [...states.values()];
  const result = {
    name: suite.name,
    seconds: (performance.now() - startedMs) / 1000,
    passed: all.reduce((sum, { passed }) => sum + passed, 0),
    failures: all.flatMap(({ failures }) => failures),
    skipped: all.flatMap(({ skipped }) => skipped),
  };
  print(`${suite.name}: ${countsOf(result)} in ${formatSeconds(result.seconds)}`);
  return result;
}

/** The file that was run: a test that a helper makes has the helper's as `file`. */
function fileOf(data: object): string | undefined {
  const { entryFile, file } = data as { readonly entryFile?: string; readonly file?: string };
  return entryFile ?? file;
}

/** `12 passed, 0 failed, 1 skipped`: the form that other programs look for, alone on the run's last line. */
export function countsOf(result: Pick<SuiteResult, 'passed' | 'failures' | 'skipped'>): string {
  return `${result.passed} passed, ${result.failures.length} failed, ${result.skipped.length} skipped`;
}

/** What node:test says at the end of each file. */
const isCount = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

/** Counts the event; gives the file's time when it was its last one. */
function take(event: TestEvent, file: string, state: FileState, isFiltered: boolean): { seconds: number } | undefined {
  if (event.type === 'test:stdout' || event.type === 'test:stderr') state.output.push(event.data.message);
  if (event.type === 'test:diagnostic' && !isCount.test(event.data.message)) state.diagnostics.push(event.data.message);
  if (event.type === 'test:summary') {
    state.hasFailed = !event.data.success;
    return { seconds: event.data.duration_ms / 1000 };
  }
  if (event.type !== 'test:pass' && event.type !== 'test:fail') return undefined;
  const { name, details, skip, todo } = event.data;
  const where = relative(repoDir, file);
  if (event.type === 'test:fail') {
    // A parent only says that a child failed, which was counted.
    if (event.data.details.error.failureType === 'subtestsFailed') return undefined;
    state.failures.push(
      name === file
        ? `${where}: the file itself failed\n${lastLines(state.output, 15)}`
        : describeFailure(where, name, event.data.details.error),
    );
  } else if (name === file) {
    // Node reports a file without tests as one passed test.
    if (!isFiltered) state.failures.push(`${where}: defines no test`);
  } else if (skip !== undefined || todo !== undefined) {
    state.skipped.push(`${where}: ${name} (${reasonOf(skip ?? todo)})`);
  } else if (details.type !== 'suite') {
    state.passed += 1;
  }
  return name === file ? { seconds: details.duration_ms / 1000 } : undefined;
}

function reasonOf(reason: string | boolean | undefined): string {
  return typeof reason === 'string' && reason !== '' ? reason : 'no reason given';
}

function printFile(file: string, state: FileState, seconds: number, print: (line: string) => void): void {
  const count = state.passed + state.failures.length + state.skipped.length;
  if (count === 0) return;
  const notes = [`${count} ${count === 1 ? 'test' : 'tests'}`];
  if (state.failures.length > 0) notes.push(`${state.failures.length} FAILED`);
  if (state.skipped.length > 0) notes.push(`${state.skipped.length} skipped`);
  const mark = state.failures.length > 0 ? '✖' : '✔';
  print(`  ${mark} ${relative(repoDir, file)}  ${notes.join(', ')}  ${seconds.toFixed(1)} s`);
  for (const diagnostic of state.diagnostics) print(indent(diagnostic.trim()));
  if (state.failures.length === 0) return;
  const output = lastLines(state.output, 40);
  if (output !== '') print(indent(output));
  for (const failure of state.failures) print(indent(failure));
}

function lastLines(output: readonly string[], count: number): string {
  return output.join('').trimEnd().split('\n').slice(-count).join('\n');
}

function indent(text: string): string {
  return text.replace(/^/gm, '      ');
}
