import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

/** Runs a part of a test under a name of its own. */
export type Step = (name: string, run: () => Promise<void>) => Promise<void>;

/**
 * Situations that one guest goes through, one after the other, as tests of their own: starting a guest costs more than most
 * of them. What comes after one that failed would mean nothing, and fails at once.
 */
export function stepsOf(context: TestContext): Step {
  let failed: string | null = null;
  return async (name, run) => {
    await context.test(name, async () => {
      assert.equal(failed, null, 'this guest has failed before');
      failed = name;
      const startedMs = performance.now();
      await run();
      failed = null;
      console.log(`${name}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
    });
  };
}
