import { randomUUID } from 'node:crypto';
import type { Outbox } from '../../../../agent/link/outbox.ts';
import { openOutbox } from '../../../../agent/link/outbox-folder.ts';
import type { NumberedFrame, Report } from '../../../../agent/link/outbox-frames.ts';
import type { ProvisionError } from '../../../../core/base/errors.ts';

const provisionUuid = randomUUID();

export function event(state: 'progress' | 'warning' | 'succeeded', message: string): Report {
  return {
    type: 'provision_event',
    event: {
      v: 1,
      seq: 1,
      time: '2026-11-20T12:00:00.000Z',
      provision_uuid: provisionUuid,
      step: 'layer_extraction',
      state,
      percent: 5,
      bytes_done: null,
      bytes_total: null,
      rate_bps: null,
      message,
    },
  };
}

export const outcome = (reason: string): Report => ({
  type: 'command_reply',
  command_uuid: provisionUuid,
  state: 'done',
  reason,
});
export const log = (line: string): Report => ({ type: 'log', command_uuid: null, lines: [line] });

function textOf(frame: NumberedFrame): string {
  if (frame.type === 'provision_event') return frame.event.message;
  if (frame.type === 'log') return frame.lines.join();
  return frame.type === 'command_reply' ? (frame.reason ?? '') : frame.type;
}

export const waiting = (outbox: Outbox): string[] =>
  [...outbox.unsent(Symbol('all'))].map(({ frame }) => `${frame.boot_id} ${frame.seq} ${textOf(frame)}`);

export function open(dir: string, bootId: string, problems: ProvisionError[] = [], limits = {}): Outbox {
  return openOutbox({ dir, bootId, onProblem: (error) => void problems.push(error), ...limits });
}
