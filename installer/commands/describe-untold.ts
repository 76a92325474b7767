import type { Outbox } from '../../agent/link/outbox.ts';

/** What the server has not acknowledged, for a person: each outcome by itself, the rest as a number. Null: nothing. */
export function describeUntold(outbox: Pick<Outbox, 'kept' | 'size'>): string | null {
  if (outbox.size === 0) return null;
  const outcomes: string[] = [];
  let restCount = 0;
  for (const { entries } of outbox.kept()) {
    for (const { frame } of entries) {
      if (frame.type === 'provision_result') outcomes.push(`the installation is ${frame.outcome} (${frame.message})`);
      else if (frame.type === 'command_reply' && frame.state !== 'accepted') {
        outcomes.push(`a command is ${frame.state}${frame.reason === null ? '' : ` (${frame.reason})`}`);
      } else restCount += 1;
    }
  }
  const rest = restCount === 1 ? '1 other report' : `${restCount} other reports`;
  return [...outcomes, ...(restCount === 0 ? [] : [rest])].join('; ');
}
