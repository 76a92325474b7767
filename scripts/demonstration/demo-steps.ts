import { spawn } from 'node:child_process';
import { relative } from 'node:path';
import { describeError } from '../../core/base/describe-error.ts';
import { Resources } from '../../test/resources.ts';
import { repoDir } from '../build/paths.ts';
import { formatSeconds } from '../testing/budget.ts';

export const print = (line = ''): void => console.log(line);

/** The steps of a demonstration, numbered: a heading, then the work, then how long it took. */
export class DemoSteps {
  readonly #count: number;
  readonly #startedMs = performance.now();
  #number = 0;

  constructor(count: number) {
    this.#count = count;
  }

  async step<T>(title: string, work: () => Promise<T>): Promise<T> {
    this.#number += 1;
    print(`\n${this.#number}/${this.#count}  ${title}`);
    const startedMs = performance.now();
    const result = await work();
    print(`     done in ${formatSeconds((performance.now() - startedMs) / 1000)}`);
    return result;
  }

  /** Since the first step. */
  get took(): string {
    return formatSeconds((performance.now() - this.#startedMs) / 1000);
  }
}

/** A program whose output the person sees as it comes. @throws Error when it fails. */
export async function show(file: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const child = spawn(file, args, { cwd: repoDir, stdio: 'inherit', env });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (...end) => resolve(end));
  });
  if (code !== 0) throw new Error(`${relative(repoDir, file)} ended with ${signal ?? `exit code ${code}`}`);
}

/** Runs a demonstration; what it made ends with it, also on ^C. Sets the exit code. */
export async function runDemonstration(demonstrate: (resources: Resources) => Promise<void>): Promise<void> {
  const resources = new Resources();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      print(`\n${signal}: cleaning up`);
      void resources[Symbol.asyncDispose]().finally(() => process.exit(130));
    });
  }
  try {
    await demonstrate(resources);
  } catch (error) {
    console.error(`\ndemo: ${describeError(error)}`);
    process.exitCode = 1;
  } finally {
    await resources[Symbol.asyncDispose]();
  }
}
