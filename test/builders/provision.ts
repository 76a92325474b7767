import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { type ProvisionEvent, provisionEventSchema, type StepId, stepIds } from '../../protocol/provision-event.ts';

/** The built binary; what travels with it lies next to it. */
export const binary = join(import.meta.dirname, '../../dist/durantic');

export interface CommandRun {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

export interface RunBinaryOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Another copy of the program. */
  readonly file?: string;
  /** The process is ended after this; default 4 minutes. */
  readonly timeoutMs?: number;
  readonly onStart?: (child: ChildProcess) => void;
  /** Told every line of stdout when it comes. */
  readonly onLine?: (line: string, child: ChildProcess) => void;
}

/** Runs the built binary to its end, without a terminal. */
export async function runBinary(args: readonly string[], options: RunBinaryOptions = {}): Promise<CommandRun> {
  const startedMs = performance.now();
  const child = spawn(options.file ?? binary, [...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 240_000);
  const ended = new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve([code, signal]));
  });
  options.onStart?.(child);
  let [stdout, stderr, openLine] = ['', '', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    const lines = (openLine + text).split('\n');
    openLine = lines.pop() ?? '';
    for (const line of lines) options.onLine?.(line, child);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [exitCode, signal] = await ended.finally(() => clearTimeout(timer));
  return { exitCode, signal, stdout, stderr, seconds: (performance.now() - startedMs) / 1000 };
}

export interface ProvisionOptions extends RunBinaryOptions {
  readonly image: string;
  readonly disk: string;
  /** More flags; `--json`, `--yes` and `--no-inject-agent` are given unless `flags` says `--inject`. */
  readonly flags?: readonly string[];
  readonly onEvent?: (event: ProvisionEvent, child: ChildProcess) => void;
}

export interface ProvisionRun extends CommandRun {
  readonly events: readonly ProvisionEvent[];
  /** The event without a step; null when the process was killed before it. */
  readonly last: ProvisionEvent | null;
}

/**
 * `durantic provision --json --yes` by the built binary. Every line is checked against the schema, and the stream as a
 * whole (`assertEventStream`) unless the process was killed.
 */
export async function provision(options: ProvisionOptions): Promise<ProvisionRun> {
  const flags = options.flags ?? ['--no-inject-agent'];
  const events: ProvisionEvent[] = [];
  const args = ['provision', '--image', options.image, '--disk', options.disk, '--json', '--yes', ...flags];
  const run = await runBinary(args, {
    ...options,
    onLine: (line, child) => {
      const event = provisionEventSchema.parse(JSON.parse(line));
      events.push(event);
      options.onEvent?.(event, child);
    },
  });
  const last = events.find(({ step }) => step === null) ?? null;
  if (run.signal === null) assertEventStream(events, run.exitCode);
  return { ...run, events, last };
}

/** The same, and it must succeed. */
export async function provisionOk(options: ProvisionOptions): Promise<ProvisionRun> {
  const run = await provision(options);
  assert.equal(run.exitCode, 0, `${run.last?.message ?? 'no last event'}\n${run.stderr}`);
  return run;
}

/** What `--json` printed, each line checked against the schema and all of them as a stream. */
export function parseEvents(stdout: string, exitCode: number | null): ProvisionEvent[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  const events = lines.map((line) => provisionEventSchema.parse(JSON.parse(line)));
  assertEventStream(events, exitCode);
  return events;
}

const diskStates = ['untouched', 'erased', 'partial', 'complete'];

/** Invariant 9: numbers without gaps, percent never back, each started step with exactly one outcome, in order, and the state of the disk. */
export function assertEventStream(events: readonly ProvisionEvent[], exitCode: number | null): void {
  const last = events.at(-1);
  assert.ok(last !== undefined, 'there are events');
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, index) => index + 1),
  );
  assert.equal(new Set(events.map((event) => event.provision_uuid)).size, 1);
  for (const [index, event] of events.entries()) {
    const before = events[index - 1];
    assert.ok(event.percent >= (before?.percent ?? 0), `percent goes back at ${event.seq}`);
    const [was, is] = [before, event].map((one) => diskStates.indexOf(one?.disk_state ?? 'untouched'));
    assert.ok(
      event.disk_state !== undefined && Number(is) >= Number(was),
      `the disk is said to go back at ${event.seq}`,
    );
    const mayBeUntouched = event.step === null || stepIds.indexOf(event.step) < 2;
    assert.ok(mayBeUntouched || event.disk_state !== 'untouched', `${event.step} with an untouched disk`);
    assert.equal(event.step === null, event === last, 'the last event, and it alone, has no step');
  }
  assert.equal(last.exit_code, exitCode);
  assert.equal(last.state === 'succeeded', exitCode === 0);
  if (last.disk_state === 'complete' && exitCode === 0) assert.equal(last.percent, 100);
  else assert.ok(last.percent < 100, 'only a finished installation has 100 per cent');
  const outcomes = new Set(['succeeded', 'skipped', 'failed', 'aborted']);
  const seen: StepId[] = [];
  for (const step of stepIds) {
    const own = events.filter((event) => event.step === step);
    if (own.length === 0) continue;
    seen.push(step);
    assert.equal(own[0]?.state, 'started', step);
    assert.equal(own.filter(({ state }) => state === 'started').length, 1, step);
    assert.equal(own.filter(({ state }) => outcomes.has(state)).length, 1, `one outcome of ${step}`);
    assert.ok(outcomes.has(own.at(-1)?.state ?? ''), `the outcome of ${step} comes last`);
  }
  assert.deepEqual(seen, stepIds.slice(0, seen.length), 'no step is left out');
  if (exitCode === 0 && last.disk_state === 'complete') assert.equal(seen.length, stepIds.length);
}
