import { ProvisionError } from './errors.ts';

const longestChain = 8;

/**
 * The error and its causes as one line for a person: `message: cause: cause`. Printed once, at the edge of the
 * program; no code in between adds the cause's text to its own message.
 */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth < longestChain && current !== undefined && current !== null; depth += 1) {
    const text = textOf(current);
    if (text !== '' && parts.at(-1) !== text) parts.push(text);
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(': ');
}

/** The stack of the innermost error, for `bug` errors only. */
export function stackOf(error: unknown): string | undefined {
  let current = error;
  while (current instanceof Error && current.cause instanceof Error) current = current.cause;
  if (error instanceof ProvisionError && error.kind !== 'bug') return undefined;
  return current instanceof Error ? current.stack : undefined;
}

function textOf(value: unknown): string {
  if (value instanceof AggregateError && value.message === '') return value.errors.map(textOf).join('; ');
  if (value instanceof Error) return oneLine(opensslReason(value) ?? value.message);
  return oneLine(String(value));
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ').trim();
}

/** OpenSSL's messages name threads, numbers and source files; what it means stands in `reason` (Node, "OpenSSL errors"). */
function opensslReason(error: Error): string | undefined {
  const { code, reason } = error as { code?: unknown; reason?: unknown };
  const isOpenssl = typeof code === 'string' && code.startsWith('ERR_SSL_');
  return isOpenssl && typeof reason === 'string' ? reason : undefined;
}
