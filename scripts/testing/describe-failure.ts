import { inspect } from 'node:util';
import { repoDir } from '../build/paths.ts';

const longestMessage = 3000;

/** A failure as a person wants to read it: test, reason, causes, and the places in our own code. */
export function describeFailure(where: string, testName: string, error: Error): string {
  // node:test wraps what the test threw.
  const thrown = error.cause ?? error;
  const lines = [`${where}: ${testName}`];
  let current: unknown = thrown;
  for (let depth = 0; depth < 6 && current !== undefined && current !== null; depth += 1) {
    const text = current instanceof Error || isErrorLike(current) ? current.message : inspect(current);
    lines.push(`${depth === 0 ? '' : 'caused by: '}${text.trimEnd().slice(0, longestMessage)}`);
    const facts = isErrorLike(current) && 'facts' in current ? current.facts : undefined;
    if (facts !== undefined && Object.keys(facts as object).length > 0) lines.push(`facts: ${inspect(facts)}`);
    lines.push(...ownFrames(current));
    current = isErrorLike(current) ? current.cause : undefined;
  }
  return lines.join('\n  ');
}

function isErrorLike(value: unknown): value is { message: string; stack?: unknown; cause?: unknown } {
  return typeof value === 'object' && value !== null && 'message' in value && typeof value.message === 'string';
}

/** The three innermost places in this repository. */
function ownFrames(error: unknown): string[] {
  if (!isErrorLike(error) || typeof error.stack !== 'string') return [];
  return error.stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line) && line.includes(repoDir) && !line.includes('node_modules'))
    .slice(0, 3)
    .map((line) => line.trim().replace(`file://${repoDir}/`, '').replace(`${repoDir}/`, ''));
}
