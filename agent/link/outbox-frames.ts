import { ProvisionError } from '../../core/base/errors.ts';
import { type AgentFrame, agentFrames, maxFrameBytes } from '../../protocol/agent-frames.ts';

const numberedTypes = ['provision_event', 'provision_result', 'command_reply', 'log', 'cloud_init_result'] as const;

/** A frame that is kept until the server has it. */
export type NumberedFrame = AgentFrame<(typeof numberedTypes)[number]>;

type WithoutNumber<T> = T extends unknown ? Omit<T, 'boot_id' | 'seq'> : never;

/** What a part of the agent reports; the outbox numbers it. */
export type Report = WithoutNumber<NumberedFrame>;

const longestTextCharacters = 4096;

/** What may be lost when the outbox is full: progress first, then logs. Outcomes never: null. */
export function dropRank(frame: NumberedFrame): 0 | 1 | null {
  if (frame.type === 'provision_event') return frame.event.state === 'progress' ? 0 : null;
  return frame.type === 'log' ? 1 : null;
}

/**
 * The report as a frame that the protocol allows: text that is too long is cut.
 * @throws ProvisionError `invariant` for one that fits no frame.
 */
export function toFrame(report: Report, number: { readonly boot_id: string; readonly seq: number }): NumberedFrame {
  const frame = { ...shortened(report), ...number } as NumberedFrame;
  const result = agentFrames[frame.type].safeParse(frame);
  if (!result.success) {
    throw new ProvisionError('invariant', `a ${frame.type} to report is not as the protocol says`, {
      cause: result.error,
    });
  }
  const sizeBytes = Buffer.byteLength(JSON.stringify(result.data));
  if (sizeBytes > maxFrameBytes) {
    throw new ProvisionError('invariant', `a ${frame.type} to report has ${sizeBytes} bytes`);
  }
  return result.data as NumberedFrame;
}

/** A line of the outbox's file as a frame; null when it is none. */
export function parseNumberedFrame(text: string): NumberedFrame | null {
  try {
    const value: unknown = JSON.parse(text);
    const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : null;
    const known = numberedTypes.find((name) => name === type);
    return known === undefined ? null : (agentFrames[known].parse(value) as NumberedFrame);
  } catch {
    return null;
  }
}

function shortened(report: Report): Report {
  const cut = (text: string): string => text.slice(0, longestTextCharacters);
  switch (report.type) {
    case 'command_reply':
      return { ...report, reason: report.reason === null ? null : cut(report.reason) };
    case 'provision_result':
      return { ...report, message: cut(report.message) };
    case 'cloud_init_result':
      return { ...report, errors: report.errors.slice(0, 100).map(cut) };
    case 'provision_event': {
      const { facts, ...event } = report.event;
      const areFactsLarge = JSON.stringify(facts ?? {}).length > 16 * longestTextCharacters;
      const kept = facts === undefined || areFactsLarge ? {} : { facts };
      return { ...report, event: { ...event, ...kept, message: cut(event.message) } };
    }
    case 'log':
      return report;
  }
}
