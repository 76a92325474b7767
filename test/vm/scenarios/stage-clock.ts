import type { TestContext } from 'node:test';

/** How long the stages of a scenario took; printed with its result, also when it fails. */
export class StageClock implements Disposable {
  readonly #context: TestContext;
  readonly #scenario: string;
  readonly #startedMs = performance.now();
  #beganMs = this.#startedMs;

  constructor(context: TestContext, scenario: string) {
    this.#context = context;
    this.#scenario = scenario;
  }

  /** Ends the stage that began with the end of the one before. */
  end(stage: string): void {
    const nowMs = performance.now();
    this.#context.diagnostic(`${this.#scenario}: ${stage} ${seconds(nowMs - this.#beganMs)}`);
    this.#beganMs = nowMs;
  }

  [Symbol.dispose](): void {
    this.#context.diagnostic(`${this.#scenario}: ${seconds(performance.now() - this.#startedMs)} in all`);
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
