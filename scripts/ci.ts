import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repoDir } from './build/paths.ts';
import { describeBadEnd, startBackgroundBuild } from './testing/background-build.ts';
import { formatBudget, overrunParts, type PartTime, totalLimitMinutes } from './testing/budget.ts';
import { closeRun, readTimes } from './testing/close-run.ts';

// Started by .ci/run as `ci.ts START`, START in seconds since 1970: what was installed before counts too.
const startedSec = Number(process.argv[2] ?? Date.now() / 1000);
const elapsedSec = (): number => Date.now() / 1000 - startedSec;
const installed: PartTime = { part: 'installs and builds', seconds: elapsedSec() };

const folder = mkdtempSync(join(tmpdir(), 'durantic-ci-'));
const timesFile = join(folder, 'times.jsonl');
// The longest build has the time of all suites before the one that boots its result.
const kernelLog = join(folder, 'build-kernel.log');
const kernel = startBackgroundBuild([join(repoDir, 'scripts', 'build-kernel')], kernelLog);
try {
  const exit = await runTests(timesFile);
  const { times, counts } = readTimes(existsSync(timesFile) ? readFileSync(timesFile, 'utf8') : '');
  const kernelSeconds = kernel.result()?.seconds;
  const all = [installed, ...times, ...(kernelSeconds === undefined ? [] : [kernelPart(kernelSeconds)])];
  const badEnd = describeBadEnd('scripts/build-kernel', kernel, kernelLog);
  if (badEnd !== undefined) console.log(`\n${badEnd}`);
  const { problems, lastLine, exitCode } = closeRun({ exit, counts, overruns: overrunParts(all) });
  console.log(`\n${formatBudget(all, elapsedSec())}`);
  for (const problem of problems) console.log(problem);
  console.log(`\n${lastLine}`);
  process.exitCode = exitCode;
} finally {
  kernel.end();
  rmSync(folder, { recursive: true, force: true });
}

function kernelPart(seconds: number): PartTime {
  return { part: 'kernel', seconds };
}

/** The README's test command, stopped when the whole run has used its time. */
async function runTests(times: string): Promise<number | 'stopped'> {
  // A group of its own, so that stopping it reaches what it started.
  const child = spawn(join(repoDir, 'scripts', 'test'), [], {
    cwd: repoDir,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, DURANTIC_TIMES_FILE: times, DURANTIC_KERNEL_IN_BACKGROUND: '1' },
  });
  const endGroup = (signal: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {
      // The group has ended by itself.
    }
  };
  let isStopped = false;
  const limit = setTimeout(
    () => {
      isStopped = true;
      console.log(`\nstopped: the run has used ${totalLimitMinutes} minutes`);
      endGroup('SIGTERM');
      setTimeout(() => endGroup('SIGKILL'), 30_000).unref();
    },
    Math.max(0, totalLimitMinutes * 60 - elapsedSec()) * 1000,
  );
  const exit = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 128));
  });
  clearTimeout(limit);
  return isStopped ? 'stopped' : exit;
}
