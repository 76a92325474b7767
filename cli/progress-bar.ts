import { formatBytes } from '../core/base/format-bytes.ts';
import { type ProvisionEvent, stepIds, stepNames } from '../protocol/provision-event.ts';

export interface ProgressOutput {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const barWidth = 24;
const plainEveryPercent = 10;

/**
 * Shows an installation to a person: one live line on a terminal, plain lines (one a step, one every 10 %) elsewhere.
 */
export function createProgressBar(output: ProgressOutput): (event: ProvisionEvent) => void {
  const live = output.isTTY === true;
  let lastPlainPercent = 0;
  let lineOpen = false;
  const print = (line: string): void => {
    output.write(`${lineOpen ? '\r\x1b[K' : ''}${line}\n`);
    lineOpen = false;
  };
  return (event) => {
    if (event.step === null) {
      print(lastLine(event));
      return;
    }
    const label = `[${stepIds.indexOf(event.step) + 1}/${stepIds.length}] ${stepNames[event.step]}`;
    if (event.state === 'started' || event.state === 'progress') {
      if (live) {
        const width = (output.columns ?? 80) - 1;
        output.write(`\r\x1b[K${liveLine(label, event).slice(0, width)}`);
        lineOpen = true;
      } else if (event.state === 'progress' && event.percent >= lastPlainPercent + plainEveryPercent) {
        lastPlainPercent = Math.floor(event.percent / plainEveryPercent) * plainEveryPercent;
        print(`${label}: ${formatPercent(event.percent)}${amounts(event)}`);
      }
      return;
    }
    print(`${label}: ${outcome(event)}`);
  };
}

/** Why a step failed is said once, by the last line. */
function outcome({ state, message }: ProvisionEvent): string {
  if (state === 'failed' || state === 'aborted') return state.toUpperCase();
  return state === 'succeeded' ? message : `${state}: ${message}`;
}

function liveLine(label: string, event: ProvisionEvent): string {
  const filled = Math.round((event.percent / 100) * barWidth);
  return `[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}] ${formatPercent(event.percent).padStart(4)} ${label}${amounts(event)}`;
}

function amounts(event: ProvisionEvent): string {
  const parts: string[] = [];
  if (event.bytes_done !== null) {
    const total = event.bytes_total === null ? '' : ` of ${formatBytes(event.bytes_total)}`;
    parts.push(`${formatBytes(event.bytes_done)}${total}`);
  }
  if (event.rate_bps !== null && event.rate_bps > 0) {
    parts.push(`${formatBytes(event.rate_bps)}/s`);
    if (event.bytes_total !== null && event.bytes_done !== null && event.bytes_done < event.bytes_total) {
      parts.push(`${formatDuration((event.bytes_total - event.bytes_done) / event.rate_bps)} left`);
    }
  }
  return parts.length === 0 ? '' : `  ${parts.join(', ')}`;
}

function formatPercent(percent: number): string {
  return `${Math.floor(percent)}%`;
}

function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

const diskStateSentences = {
  untouched: 'The disk was not touched.',
  erased: 'The disk was erased; nothing on it boots.',
  partial: 'The disk holds parts of the new system; nothing on it boots.',
  complete: 'The new system is complete on the disk.',
} as const;

function lastLine(event: ProvisionEvent): string {
  if (event.state === 'succeeded') return event.message;
  const disk = event.disk_state === undefined ? '' : ` ${diskStateSentences[event.disk_state]}`;
  const again = event.retryable === true ? ' Trying again can help.' : '';
  return `durantic: ${event.message} [${event.code ?? 'unknown'}]\n${disk.trim()}${again}`;
}
